package sso

import (
	"cmp"
	"strings"
)

// logout says what becomes of sessions that end here, or at the provider. Both
// are as the provider likes, so nothing of it is wrong.
func (c *check) logout(meta *metadata, callbacks []string) {
	const none = "https://<site>/auth-gateway"
	var signOut, backchannel []string
	for _, callback := range callbacks {
		if root, ok := strings.CutSuffix(callback, "/sso/"+c.name+"/callback"); ok {
			signOut, backchannel = append(signOut, root+"/sign-out"), append(backchannel, root+"/sso/"+c.name+"/backchannel-logout")
		}
	}
	registered := cmp.Or(strings.Join(signOut, ", "), none+"/sign-out")
	called := cmp.Or(strings.Join(backchannel, ", "), none+"/sso/"+c.name+"/backchannel-logout")

	const out, back = "sign-out at the provider", "back-channel logout"
	if meta.EndSessionEndpoint != "" {
		c.note(out, Good, "is offered: people who sign out here are sent there too. Register as post-logout redirect addresses: %s", registered)
	} else {
		c.note(out, Good, "is not offered: people who sign out here stay signed in there")
	}
	switch {
	case c.manual != nil:
		c.note(back, Unknown, "if the provider offers it, register one of: %s", called)
	case meta.BackchannelLogout && meta.BackchannelSessions:
		c.note(back, Good, "is offered, by session and by person: register one of: %s", called)
	case meta.BackchannelLogout:
		c.note(back, Good, "is offered, by person: register one of: %s", called)
	default:
		c.note(back, Good, "is not offered: sessions here go on when one ends there, until they are over or revalidate asks")
	}
}
