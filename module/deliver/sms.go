package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Text is a text message to one phone.
type Text struct {
	Phone string // E.164: +491701234567
	Code  string // the bare passcode
	Text  string // a sentence with the passcode in it
}

// Texter posts text messages to a webhook.
type Texter struct {
	config SMSConfig
	client *http.Client
}

// NewTexter returns the texter of a configuration that is valid and resolved.
func NewTexter(c SMSConfig) *Texter {
	return &Texter{config: c, client: &http.Client{
		Timeout: sendTimeout,
		// A redirect would carry the passcode, and whatever header lets us
		// in, to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    sendTimeout,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}}
}

// Send posts text. An error that is not Permanent may be gone the next time.
// No error holds what the service answered: it may repeat the passcode.
func (t *Texter) Send(ctx context.Context, text Text) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.config.Webhook, strings.NewReader(t.config.fill(text)))
	if err != nil {
		return permanent(fmt.Errorf("posting a text message: %w", err))
	}
	request.Header.Set("Content-Type", jsonType)
	for name, value := range t.config.Headers {
		request.Header.Set(name, value)
	}
	response, err := t.client.Do(request)
	if err != nil {
		var whole *url.Error // names the address with all that is in it
		if errors.As(err, &whole) {
			err = whole.Err
		}
		return fmt.Errorf("posting a text message to %s: %w", t.host(), err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // lets the connection be used again
	switch status := response.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return permanent(fmt.Errorf("posting a text message: %s redirects (%d), which is not followed: name the final address", t.host(), status))
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return fmt.Errorf("posting a text message: %s answers with status %d", t.host(), status)
	default:
		return permanent(fmt.Errorf("posting a text message: %s refuses it with status %d", t.host(), status))
	}
}

// host is what an error may name of the webhook: the rest of its address can
// be a secret.
func (t *Texter) host() string {
	u, err := url.Parse(t.config.Webhook)
	if err != nil {
		return "the webhook"
	}
	return u.Host
}

// escapeJSON is what stands for s between the quotes of a JSON string.
func escapeJSON(s string) string {
	quoted, _ := json.Marshal(s) // a string always has a JSON form
	return string(quoted[1 : len(quoted)-1])
}
