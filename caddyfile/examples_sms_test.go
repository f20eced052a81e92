package caddyfile

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/auth-gateway/caddy-auth-gateway/module"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
)

// Credentials in the shapes that the services give out.
const (
	twilioAccount = "AC0123456789abcdef0123456789abcdef"
	twilioKey     = "SK0123456789abcdef0123456789abcdef:Zm9vYmFyYmF6cXV1eA"
	vonageKey     = "abcd1234:Zm9vYmFyYmF6cXV1eA"
)

// message has in it what a body could be broken or changed by.
var message = deliver.Text{
	Phone: "+491701234567",
	Code:  "012345",
	Text:  "012345 は「<b>\"Café\" & Söhne</b>」の確認コードです。100% = {code}+1; \\n\\\"\n\n@app.example.com #012345",
}

// api is a service for text messages that takes what its documentation says, and
// nothing else.
type api struct {
	host string // which its address begins with
	send http.HandlerFunc
}

// took is what a service understood.
type took struct{ to, text string }

// TestSMSExamples: the request that each example makes is one that its service
// documents, with the text as it was, whatever is in it.
func TestSMSExamples(t *testing.T) {
	for folder, service := range map[string]func(t *testing.T, took *took) api{
		"sms-twilio": twilio, "sms-vonage": vonage,
	} {
		t.Run(folder, func(t *testing.T) {
			var got took
			api := service(t, &got)
			server := httptest.NewServer(api.send)
			defer server.Close()

			config := provisioned(t, "../examples/"+folder+"/Caddyfile")
			path, found := strings.CutPrefix(config.Webhook, api.host)
			if !found {
				t.Fatalf("%s is not at %s", config.Webhook, api.host)
			}
			config.Webhook = server.URL + path
			if err := deliver.NewTexter(config).Send(t.Context(), message); err != nil {
				t.Fatal(err)
			}
			if "+"+strings.TrimPrefix(got.to, "+") != message.Phone || got.text != message.Text {
				t.Errorf("got %+v", got)
			}

			// The service tells bad requests, so that what it takes means
			// something.
			for what, spoil := range map[string]func(*deliver.SMSConfig){
				"credentials": func(c *deliver.SMSConfig) { c.Headers["Authorization"] = "Basic QUM6eA==" },
				"number":      func(c *deliver.SMSConfig) { c.Body = strings.Replace(c.Body, "{phone", "0{phone", 1) },
				"sender": func(c *deliver.SMSConfig) {
					c.Body = strings.Replace(strings.Replace(c.Body, "From", "Frm", 1), "from", "frm", 1)
				},
				"text": func(c *deliver.SMSConfig) { c.Body = strings.Replace(c.Body, "{text}", "", 1) },
				"kind of body": func(c *deliver.SMSConfig) {
					c.Headers["Content-Type"] = "text/plain"
				},
				"address": func(c *deliver.SMSConfig) { c.Webhook += "/" },
			} {
				config := provisioned(t, "../examples/"+folder+"/Caddyfile")
				config.Webhook = server.URL + path
				spoil(&config)
				if err := deliver.NewTexter(config).Send(t.Context(), message); !deliver.Permanent(err) {
					t.Errorf("%s spoilt: %v", what, err)
				}
			}
		})
	}
}

// twilio is https://www.twilio.com/docs/messaging/api/message-resource, Create a
// Message: a form, with an API key or the account's token by Basic
// authentication.
func twilio(t *testing.T, took *took) api {
	var (
		path   = regexp.MustCompile(`^/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages\.json$`)
		number = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
		sender = regexp.MustCompile(`^(\+[1-9][0-9]{1,14}|[0-9]{3,6}|[A-Za-z0-9 +&_-]{1,11})$`)
		fields = []string{"To", "From", "MessagingServiceSid", "Body", "ValidityPeriod", "SmartEncoded", "RiskCheck"}
	)
	return api{"https://api.twilio.com", func(w http.ResponseWriter, r *http.Request) {
		account := path.FindStringSubmatch(r.URL.Path)
		user, password, _ := r.BasicAuth()
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		body, err := io.ReadAll(r.Body)
		form, formErr := url.ParseQuery(string(body))
		switch {
		case r.Method != http.MethodPost || account == nil:
			w.WriteHeader(http.StatusNotFound)
		case user+":"+password != twilioKey || account[1] != twilioAccount:
			refuse(w, http.StatusUnauthorized, "20003")
		case err != nil || formErr != nil || kind != "application/x-www-form-urlencoded":
			refuse(w, http.StatusBadRequest, "21602") // no field is found in it
		case !number.MatchString(form.Get("To")):
			refuse(w, http.StatusBadRequest, "21211")
		case form.Has("From") == form.Has("MessagingServiceSid") || form.Has("From") && !sender.MatchString(form.Get("From")):
			refuse(w, http.StatusBadRequest, "21603")
		case form.Get("Body") == "":
			refuse(w, http.StatusBadRequest, "21602")
		case utf8.RuneCountInString(form.Get("Body")) > 1600:
			refuse(w, http.StatusBadRequest, "21617")
		default:
			for name, values := range form {
				if !slices.Contains(fields, name) || len(values) != 1 {
					t.Errorf("Twilio has no field %s, or %d of it", name, len(values))
				}
			}
			took.to, took.text = form.Get("To"), form.Get("Body")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": "queued", "to": took.to, "body": took.text})
		}
	}}
}

// vonage is https://developer.vonage.com/en/api/messages, version 1, an SMS: a
// JSON object, with key and secret of the account by Basic authentication.
// Numbers are E.164 without the plus.
func vonage(t *testing.T, took *took) api {
	var (
		number = regexp.MustCompile(`^[1-9][0-9]{6,14}$`)
		sender = regexp.MustCompile(`^([1-9][0-9]{2,14}|[A-Za-z0-9 ]{1,11})$`)
	)
	return api{"https://api.nexmo.com", func(w http.ResponseWriter, r *http.Request) {
		var sms struct {
			MessageType string `json:"message_type"`
			Channel     string `json:"channel"`
			To          string `json:"to"`
			From        string `json:"from"`
			Text        string `json:"text"`
			ClientRef   string `json:"client_ref"`
		}
		user, password, _ := r.BasicAuth()
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v1/messages":
			w.WriteHeader(http.StatusNotFound)
		case user+":"+password != vonageKey:
			refuse(w, http.StatusUnauthorized, "Unauthorized")
		case kind != "application/json":
			refuse(w, http.StatusUnsupportedMediaType, "Unsupported Media Type")
		case decoder.Decode(&sms) != nil || decoder.More():
			refuse(w, http.StatusUnprocessableEntity, "Bad Request")
		case sms.MessageType != "text" || sms.Channel != "sms" || !number.MatchString(sms.To) || !sender.MatchString(sms.From) ||
			sms.Text == "" || utf8.RuneCountInString(sms.Text) > 1000 || len(sms.ClientRef) > 100:
			refuse(w, http.StatusUnprocessableEntity, "Invalid params")
		default:
			took.to, took.text = sms.To, sms.Text
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(map[string]any{"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"})
		}
	}}
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": why, "title": why})
}

func init() { caddy.RegisterModule(new(onlooker)) }

// onlooker is an app that keeps what the app of the gateway has made of its
// configuration.
type onlooker struct{}

// looked is what the onlooker saw last.
var looked *module.App

func (*onlooker) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "onlooker", New: func() caddy.Module { return new(onlooker) }}
}

func (*onlooker) Provision(ctx caddy.Context) error {
	app, err := ctx.App(name)
	if err != nil {
		return err
	}
	looked = app.(*module.App)
	return nil
}

func (*onlooker) Start() error { return nil }
func (*onlooker) Stop() error  { return nil }

// provisioned returns the service for text messages of an example, ready for
// use.
func provisioned(t *testing.T, file string) deliver.SMSConfig {
	t.Helper()
	config := example(t, file)
	config.AppsRaw = caddy.ModuleMap{name: config.AppsRaw[name], "onlooker": json.RawMessage("{}")}
	if err := caddy.Validate(config); err != nil {
		t.Fatal(err)
	}
	if looked == nil || looked.SMS == nil {
		t.Fatal("no text messages are configured")
	}
	return *looked.SMS
}
