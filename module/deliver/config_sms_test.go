package deliver

import (
	"strings"
	"testing"
)

// TestSMSConfigRefuses: each mistake is told at its word, and nothing that is
// told has a value in it, which may be a secret.
func TestSMSConfigRefuses(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, test := range map[string]struct {
		config SMSConfig
		want   string // "" is none
	}{
		"defaults":                         {SMSConfig{}, ""},
		"this machine in the clear":        {SMSConfig{Webhook: "http://127.0.0.1:8081/s3cret"}, ""},
		"this machine by name":             {SMSConfig{Webhook: "http://sms.localhost/s3cret"}, ""},
		"JSON with parameters":             {SMSConfig{Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: `{"a":"{phone}","b":"{code}"}`}, ""},
		"an array":                         {SMSConfig{Body: ` [{"a":"{phone}","b":"{text}"}]`}, ""},
		"a form":                           {SMSConfig{Headers: map[string]string{"content-type": form}, Body: `a={phone_digits}&b={text}&c=%2B1+2`}, ""},
		"neither":                          {SMSConfig{Body: `{phone} {code}`}, ""},
		"no address":                       {SMSConfig{Webhook: "s3cret"}, "webhook: is not an address"},
		"no host":                          {SMSConfig{Webhook: "https:///s3cret"}, "webhook: is not an address"},
		"a password with a slash":          {SMSConfig{Webhook: "https://a:s3cret/@sms.example.com/"}, "webhook: is not an address"},
		"another scheme":                   {SMSConfig{Webhook: "ftp://a:s3cret@sms.example.com/"}, "webhook: is not an address"},
		"in the clear":                     {SMSConfig{Webhook: "http://a:s3cret@sms.example.com/s3cret?s3cret"}, "webhook: would send passcodes in the clear to sms.example.com: use https"},
		"in the clear, name like loopback": {SMSConfig{Webhook: "http://127.0.0.1.example.com/"}, "webhook: would send"},
		"header name":                      {SMSConfig{Headers: map[string]string{"A:B": "s3cret"}}, "header A:B: "},
		"header value with a new line":     {SMSConfig{Headers: map[string]string{"Authorization": "s3cret\r\nX: y"}}, "header Authorization: has a line break"},
		"empty header value":               {SMSConfig{Headers: map[string]string{"X-Account": ""}}, "header X-Account: is empty"},
		"same header but for case":         {SMSConfig{Headers: map[string]string{"x-account": "s3cret", "X-Account": "s3cret"}}, "header x-account: is there twice"},
		"header of the address":            {SMSConfig{Headers: map[string]string{"HOST": "s3cret"}}, "header HOST: is set by Caddy itself"},
		"header of the body's length":      {SMSConfig{Headers: map[string]string{"Transfer-Encoding": "chunked"}}, "header Transfer-Encoding: is set by Caddy itself"},
		"no phone":                         {SMSConfig{Body: `{"s3cret":"{code}"}`}, "body: has neither {phone} nor"},
		"no passcode":                      {SMSConfig{Body: `{"s3cret":"{phone}"}`}, "body: has neither {text} nor {code}"},
		"unknown placeholder":              {SMSConfig{Body: `{"s3cret":"{phone}","b":"{Code}"}`}, "body: unknown placeholder {Code}: did you mean {code}?"},
		"broken JSON":                      {SMSConfig{Body: `{"s3cret":"{phone}","b":"{code}"`}, "body: is not JSON"},
		"code without quotes":              {SMSConfig{Body: `{"s3cret":"{phone}","b":{code}}`}, "body: is not JSON"},
		"raw line break in JSON":           {SMSConfig{Body: "{\"s3cret\":\"{phone}\",\"b\":\"{code}\n\"}"}, "body: is not JSON"},
		"plus in a form":                   {SMSConfig{Headers: map[string]string{"Content-Type": form}, Body: `From=+4917000000&To={phone}&Body={text}`}, "body: is a form"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config.Webhook == "" {
				test.config.Webhook = "https://sms.example.com/send?key=s3cret"
			}
			wrong := test.config.Validate()
			switch {
			case test.want == "" && len(wrong) > 0:
				t.Error(wrong)
			case test.want != "" && (len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), test.want)):
				t.Errorf("got %v, want %s…", wrong, test.want)
			}
			for _, m := range wrong {
				if strings.Contains(m.Error(), "s3cret") {
					t.Errorf("a value is in: %v", m)
				}
			}
		})
	}
	if wrong := (SMSConfig{}).Validate(); len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), "webhook: is required") {
		t.Errorf("no webhook: %v", wrong)
	}
}

func TestSMSConfigWarns(t *testing.T) {
	for name, test := range map[string]struct {
		kind, body, want string
	}{
		"default":             {"", "", ""},
		"JSON":                {"", `{"to":"{phone}","text":"{text}"}`, ""},
		"JSON of a kind":      {"application/vnd.api+json", `{"to":"{phone}","text":"{text}"}`, ""},
		"form":                {"application/x-www-form-urlencoded;charset=UTF-8", "to={phone}&text={text}", ""},
		"form that says JSON": {"", "to={phone}&text={text}", "body: is sent as application/json and is none"},
		"words":               {"", "{phone} {text}", "body: is sent as application/json and is none"},
		"XML":                 {"text/xml; charset=utf-8", "<to>{phone}</to><text>{text}</text>", "body: is sent as text/xml: {phone}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := SMSConfig{Webhook: "https://sms.example.com/", Body: test.body}
			if test.kind != "" {
				c.Headers = map[string]string{"content-Type": test.kind}
			}
			odd := c.Warnings()
			if test.want == "" && len(odd) > 0 || test.want != "" && (len(odd) != 1 || !strings.HasPrefix(odd[0].Error(), test.want)) {
				t.Errorf("got %v, want %s…", odd, test.want)
			}
		})
	}
}
