package pages

import (
	"strings"
	"time"
)

// longAddress leaves few places to break a line.
var longAddress = strings.Repeat("alice", 12) + "@" + strings.Repeat("long.", 12) + "example.test"

// passcodeGallery is the page that asks for a passcode, in the states that the
// ways to get one bring with them.
func passcodeGallery() []sample {
	const (
		day     = 24 * time.Hour
		mail    = "a***@example.test"
		number  = "+81 *** 78"
		waiting = 24 * time.Second
	)
	var all []sample
	add := func(name string, page Passcode) {
		page.Flow = "f"
		all = append(all, sample{"passcode-" + name, View{Host: "app.example.com", Self: "/auth-gateway/passcode"}, page})
	}
	add("app-whole", Passcode{Method: "app", Others: []string{"email", "sms"}, TrustDevice: 30 * day})
	add("app-trusted", Passcode{Method: "app", TrustDevice: 12 * time.Hour, Trust: true, Message: Message{Kind: WrongPasscode}})

	add("email-unsent", Passcode{Method: "email", Sent: Sent{To: mail}, Others: []string{"app"}, TrustDevice: 30 * day})
	add("sms-unsent", Passcode{Method: "sms", Sent: Sent{To: number}})

	sent := Passcode{Method: "email", Sent: Sent{To: mail, Once: true, Wait: waiting}, Others: []string{"app", "sms"}, TrustDevice: 30 * day}
	add("email-sent", sent)
	for _, m := range []Message{{Kind: WrongPasscode}, {Kind: WaitToSend, Wait: waiting}, {Kind: WaitToSend, Wait: 20 * time.Minute}, {Kind: SentCodeOver}} {
		page := sent
		page.Message = m
		add("email-"+named(m), page)
	}
	sent.Sent.Enough = true
	add("email-enough", sent)
	sent.Message.Kind = SentCodeOver
	add("email-sent_code_over-enough", sent)

	late := Passcode{Method: "sms", Sent: Sent{To: number, Once: true, Undelivered: true, Wait: 10 * time.Minute}, Others: []string{"email"}, TrustDevice: 90 * time.Minute}
	add("sms-undelivered", late)
	late.Method = "email"
	late.Sent.To, late.Message.Kind = mail, NotDelivered
	add("email-not_delivered", late)

	add("recovery-only", Passcode{TrustDevice: 7 * day})
	add("recovery-unsent-wrong", Passcode{Method: "sms", Sent: Sent{To: number}, Recovery: true, Message: Message{Kind: WrongPasscode}})
	add("long", Passcode{Method: "email", Sent: Sent{To: longAddress, Once: true, Wait: time.Minute}, Others: []string{"app", "sms"}, TrustDevice: 365 * day})
	return all
}

// enrollGallery is the wizard in the states that mail and text messages bring
// with them, and as people see it who start it themselves.
func enrollGallery() []sample {
	const (
		mail   = "alice@example.test"
		number = "+81 90 1234 5678"
	)
	var all []sample
	add := func(name string, page Enroll) {
		page.Flow = "f"
		all = append(all, sample{"enroll-" + name, View{Host: "app.example.com", Self: "/auth-gateway/enroll"}, page})
	}
	add("app-others", Enroll{Method: "app", URL: testURL, Key: testKey, Others: []string{"email", "sms"}, Step: 1, Steps: 2})
	add("app-choice", Enroll{Method: "app", URL: testURL, Key: testKey, Others: []string{"email"}, ByChoice: true, StartOver: "/auth-gateway/account"})

	email := Enroll{Method: "email", Sent: Sent{To: mail}, Others: []string{"app", "sms"}, Step: 1, Steps: 3}
	add("email", email)
	email.Sent.Once, email.Step = true, 2
	add("email-sent", email)
	email.Sent.Undelivered, email.Sent.Wait, email.Others = true, 40*time.Second, nil
	add("email-undelivered", email)
	email.Sent.Enough, email.Message.Kind = true, SentCodeOver
	email.ByChoice, email.StartOver = true, "/auth-gateway/account"
	add("email-choice-enough", email)
	add("email-choice", Enroll{Method: "email", Sent: Sent{To: mail}, ByChoice: true, StartOver: "/auth-gateway/account"})

	sms := Enroll{Method: "sms", Others: []string{"app", "email"}, Step: 1, Steps: 3}
	add("sms", sms)
	for _, m := range []Message{
		{Kind: NoPhone}, {Kind: FieldEmpty, Field: PhoneField}, {Kind: FieldTooLong, Field: PhoneField},
	} {
		page := sms
		page.Message = m
		if m.Kind != FieldEmpty {
			page.Phone = "090-1234-5678"
		}
		add("sms-"+named(m), page)
	}
	sms.Phone, sms.Sent.Wait = number, 40*time.Second
	add("sms-wait", sms)
	sms.Sent.Once, sms.Step = true, 2
	add("sms-sent", sms)
	sms.Sent.Undelivered, sms.Message.Kind = true, WrongPasscode
	add("sms-undelivered-wrong", sms)
	add("email-long", Enroll{Method: "email", Sent: Sent{To: longAddress, Once: true, Wait: time.Minute}, Others: []string{"app", "sms"}, Step: 1, Steps: 2})
	add("sms-choice", Enroll{Method: "sms", ByChoice: true, StartOver: "/auth-gateway/account"})
	return all
}
