package deliver

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

var text = Text{Phone: "+491701234567", Code: "123456", Text: "Your \"code\"\nis 123456 & コード"}

func TestTextArrives(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config SMSConfig
		check  func(t *testing.T, r *http.Request, body string)
	}{
		{"by default", SMSConfig{}, func(t *testing.T, r *http.Request, body string) {
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil || got["to"] != text.Phone || got["text"] != text.Text {
				t.Errorf("got %s: %v", body, err)
			}
			if kind := r.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("Content-Type: %s", kind)
			}
		}},
		{"as JSON of one's own", SMSConfig{Body: `{"messages":[{"recipient":"{phone}","content":"{text} ({code})"}]}`, Headers: map[string]string{"Authorization": "Basic abc"}},
			func(t *testing.T, r *http.Request, body string) {
				var got struct {
					Messages []struct{ Recipient, Content string }
				}
				if err := json.Unmarshal([]byte(body), &got); err != nil || got.Messages[0].Content != text.Text+" (123456)" {
					t.Errorf("got %s: %v", body, err)
				}
				if r.Header.Get("Authorization") != "Basic abc" {
					t.Errorf("header: %v", r.Header)
				}
			}},
		{"as a form", SMSConfig{Body: `To={phone}&Body={text}&Digits={phone_digits}`, Headers: map[string]string{"content-type": "application/x-www-form-urlencoded; charset=utf-8"}},
			func(t *testing.T, _ *http.Request, body string) {
				got, err := url.ParseQuery(body)
				if err != nil || got.Get("To") != text.Phone || got.Get("Body") != text.Text || "+"+got.Get("Digits") != text.Phone {
					t.Errorf("got %s: %v", body, err)
				}
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			arrived := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				arrived = r.Method == http.MethodPost
				tc.check(t, r, string(body))
				w.WriteHeader(http.StatusAccepted)
			}))
			defer server.Close()
			tc.config.Webhook = server.URL
			tc.config.SetDefaults()
			if wrong := tc.config.Validate(); len(wrong) > 0 {
				t.Fatal(wrong)
			}
			texter := NewTexter(tc.config)
			defer texter.client.CloseIdleConnections()
			if err := texter.Send(t.Context(), text); err != nil || !arrived {
				t.Errorf("arrived: %t, %v", arrived, err)
			}
		})
	}
}

// What the service answers may repeat the passcode, and its address may hold a
// key: neither is in an error, and a redirect is not followed.
func TestTextFails(t *testing.T) {
	for _, tc := range []struct {
		status    int
		permanent bool
	}{{500, false}, {503, false}, {429, false}, {400, true}, {401, true}, {302, true}, {307, true}} {
		t.Run(http.StatusText(tc.status), func(t *testing.T) {
			followed := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				followed = followed || r.URL.Path != "/send"
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = io.Copy(w, r.Body)
			}))
			defer server.Close()
			c := SMSConfig{Webhook: server.URL + "/send?key=s3cret"}
			c.SetDefaults()
			texter := NewTexter(c)
			defer texter.client.CloseIdleConnections()
			err := texter.Send(t.Context(), text)
			if err == nil || Permanent(err) != tc.permanent || followed {
				t.Fatalf("followed: %t, permanent: %t, %v", followed, Permanent(err), err)
			}
			for _, secret := range []string{text.Code, "s3cret"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s is in %v", secret, err)
				}
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		c := SMSConfig{Webhook: "http://127.0.0.1:1/send?key=s3cret"}
		c.SetDefaults()
		if err := NewTexter(c).Send(t.Context(), text); err == nil || Permanent(err) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
}
