package profile

import (
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/answer"
	"github.com/auth-gateway/caddy-auth-gateway/module/pages"
)

// others is posted in place of a session's id to end all but this one.
const others = "others"

// mayRename reports whether the person's name is theirs to change: where a
// provider tells it, that is the source.
func (x *exchange) mayRename() bool { return len(x.person.SSOLinks) == 0 }

// showName answers GET /account/name.
func (x *exchange) showName() { x.writeName(http.StatusOK, x.person.Attributes.Name, pages.Message{}) }

func (x *exchange) writeName(status int, name string, message pages.Message) {
	x.show(status, nameAddress, pages.AccountName{Name: name, Flow: x.token(), Message: message})
}

// takeName answers POST /account/name.
func (x *exchange) takeName() {
	if !x.r.PostForm.Has("name") {
		x.unreadable("it does not say which name")
		return
	}
	name := x.r.PostForm.Get("name")
	if err := account.CheckName(name); err != nil {
		x.writeName(http.StatusUnprocessableEntity, name, pages.Message{Kind: pages.NameUnusable})
		return
	}
	event, then := x.did("name.change", "")
	if err := x.People.Rename(x.detached(), x.self(), name, then); err != nil {
		x.failed(err, answer.Account)
		return
	}
	x.Trail.Announce(event)
	x.done(answer.Account, pages.NoticeName)
}

// endSession answers POST /account/sessions: one ends, or all others.
func (x *exchange) endSession() {
	named := x.r.PostForm.Get("end")
	if named == others {
		event, then := x.did("session.revoke", "all others")
		if err := x.People.EndOtherSessions(x.detached(), x.self(), then); err != nil {
			x.failed(err, answer.Account)
			return
		}
		x.Trail.Announce(event)
		x.done(answer.Account, pages.NoticeOthersEnded)
		return
	}
	id, ok := x.id(named)
	if !ok {
		return
	}
	event, then := x.did("session.revoke", "one session")
	if err := x.People.EndSession(x.detached(), x.self(), id, then); err != nil {
		x.failed(err, answer.Account)
		return
	}
	x.Trail.Announce(event)
	x.done(answer.Account, pages.NoticeSessionEnded)
}

// forgetDevice answers POST /account/devices: a browser is trusted no more.
func (x *exchange) forgetDevice() {
	id, ok := x.id(x.r.PostForm.Get("forget"))
	if !ok {
		return
	}
	event, then := x.did("device.forget", "")
	if err := x.People.ForgetDevice(x.detached(), x.self(), id, then); err != nil {
		x.failed(err, answer.Account)
		return
	}
	x.Trail.Announce(event)
	x.done(answer.Account, pages.NoticeForgotten)
}

// id reads the id of a row, or answers and returns false.
func (x *exchange) id(typed string) ([]byte, bool) {
	id, err := hex.DecodeString(typed)
	if err != nil || len(id) == 0 {
		x.unreadable("it does not say which one")
		return nil, false
	}
	return id, true
}

// unreadable answers a form that is none of ours.
func (x *exchange) unreadable(why string) {
	x.refuse(answer.Refusal{Kind: pages.BadRequest, Cause: errors.New("reading the form: " + why)})
}
