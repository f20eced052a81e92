package signin_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
)

// From their own page people turn a second factor on, change what signing in
// takes once they have shown again that it is them, and turn it off.
func TestOwnPage(t *testing.T) {
	s := newSite(t, audiences{"team": {}}, nil)
	s.add("alice@example.test", password)
	b, elsewhere := s.browser(), s.browser()
	for _, in := range []*browser{b, elsewhere} {
		in.bare = true // so that every form has to carry what it takes
		page := in.get(answer.SignIn)
		in.post(answer.SignIn, "email", "alice@example.test", "password", password, "flow", page.field("flow")).as("303 /")
	}

	page := b.get(answer.Factors).as("200")
	wizard := b.get(b.post(answer.Enroll, "begin", page.field("begin"), "method", "app", "flow", page.field("flow")).location).as("200")
	app := s.app(wizard.key())
	codes := b.post(answer.Enroll, "passcode", app.code(), "flow", wizard.field("flow")).as("200").codes()
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	elsewhere.is("")
	page = b.get(answer.Factors).as("200").says("10 codes left")

	const changed, address = "another right long password", answer.Account + "/password"
	s.pass(6 * time.Minute)
	b.post(address, "password", changed, "flow", page.field("flow")).as("303 " + answer.SignInAgain(address))
	page = b.get(answer.SignInAgain(address)).as("200")
	flow := b.post(answer.SignIn, "again", "1", "email", "alice@example.test", "password", password, "return_to", address, "flow", page.field("flow")).flow()
	b.post(answer.Passcode, "flow", flow, "passcode", app.code()).as("303 " + address)
	page = b.get(address).as("200")
	b.post(address, "password", changed, "flow", page.field("flow")).as("303 " + answer.Account + "?done=password")
	b.is("alice@example.test")
	elsewhere.bare = false
	elsewhere.signIn("alice@example.test", password, "/").as("401")

	page = b.get(answer.Factors).as("200")
	fresh := b.post(answer.Account+"/recovery-codes", "flow", page.field("flow")).as("200").codes()
	if len(fresh) != 10 || fresh[0] == codes[0] {
		t.Errorf("%d new recovery codes", len(fresh))
	}
	flow = elsewhere.signIn("alice@example.test", changed, "/").flow()
	elsewhere.post(answer.Passcode, "flow", flow, "passcode", codes[0]).as("401")
	elsewhere.post(answer.Passcode, "flow", flow, "passcode", fresh[0]).as("303 /")

	id := regexp.MustCompile(`name="remove" value="([^"]+)"`).FindStringSubmatch(page.body)
	if id == nil {
		t.Fatalf("nothing to remove:\n%s", text(page.body))
	}
	b.post(answer.Factors, "remove", id[1], "flow", page.field("flow")).as("303 " + answer.Factors + "?done=factor_removed")
	elsewhere.is("")
	elsewhere.signIn("alice@example.test", changed, "/").as("303 /")
}
