package mistake

import (
	"errors"
	"fmt"
	"testing"
)

func TestListTellsThePlace(t *testing.T) {
	cause := errors.New("is empty")
	var inner, outer List
	inner.Add("client_secret", cause)
	inner.Add("issuer", nil)
	inner.AddItem("scopes", 1, fmt.Errorf("cannot be"))
	outer.Within("sso okta", inner)
	outer.Addf("language", "unknown %q", "xx")

	err := outer.Err()
	const want = "sso okta: client_secret: is empty\nsso okta: scopes: cannot be\nlanguage: unknown \"xx\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if outer[1].Item != 1 || outer[0].Item != Whole {
		t.Errorf("items: %d, %d", outer[0].Item, outer[1].Item)
	}
	if len(inner[0].Path) != 1 {
		t.Errorf("Within changed the inner list: %v", inner[0].Path)
	}
}

func TestEmptyListIsNoError(t *testing.T) {
	var l List
	l.OneOf("mode", "", "pkce", "code")
	l.OneOf("mode", "code", "pkce", "code")
	l.Repeated("sso", []string{"a", "b"})
	if err := l.Err(); err != nil {
		t.Error(err)
	}
}

func TestOneOfAndRepeated(t *testing.T) {
	var l List
	l.OneOf("mode", "implicit", "pkce", "code")
	l.Repeated("sso", []string{"a", "b", "a"})
	const want = "mode: unknown value \"implicit\": use pkce or code\nsso: a is there twice"
	if err := l.Err(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if l[1].Item != 2 {
		t.Errorf("item %d", l[1].Item)
	}
}

func TestDidYouMean(t *testing.T) {
	known := []string{"issuer", "client_id", "client_secret", "sso", "mode"}
	for word, want := range map[string]string{
		"isuer":      ": did you mean issuer?",
		"client-id":  ": did you mean client_id?",
		"clientid":   ": did you mean client_id?",
		"sos":        ": did you mean sso?",
		"Mode":       ": did you mean mode?",
		"frobnicate": "",
		"":           "",
		"日本":         "",
	} {
		if got := DidYouMean(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestChoice(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := Choice(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
