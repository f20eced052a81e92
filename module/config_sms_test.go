package module

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// TestTextMessagesGoOut: what is configured as sms is what passcodes are texted
// with; without it none are.
func TestTextMessagesGoOut(t *testing.T) {
	var got struct{ To, Code, By string }
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got.By = r.Header.Get("Authorization")
		_ = json.NewDecoder(r.Body).Decode(&got)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AUTH_GATEWAY_TEST_SMS", "of-the-service")

	app := &App{SMS: &deliver.SMSConfig{
		Webhook: server.URL,
		Headers: map[string]string{"Authorization": "Bearer {env.AUTH_GATEWAY_TEST_SMS}"},
		Body:    `{"to":"{phone}","code":"{code}"}`,
	}}
	newGate(t, app, &Gateway{})
	letters := app.service.Load().letters
	if !letters.Texts() || letters.Mails() {
		t.Errorf("texts: %t, mails: %t", letters.Texts(), letters.Mails())
	}
	state := letters.Text(letter.Code{
		Account: store.Account{ID: "a"}, Code: "012345", Expires: time.Now().Add(time.Minute), Host: "app.example.test", Language: "ja",
	}, "+491701234567").Wait(t.Context())
	if state != deliver.Sent || got.To != "+491701234567" || got.Code != "012345" || got.By != "Bearer of-the-service" {
		t.Errorf("state %v, got %+v", state, got)
	}

	without := new(App)
	newGate(t, without, &Gateway{})
	if without.service.Load().letters.Texts() {
		t.Error("texts without a service")
	}
}
