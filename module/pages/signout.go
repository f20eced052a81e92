package pages

// SignOut asks whether to sign out. It posts to /auth-gateway/sign-out.
type SignOut struct {
	// Email is the account that is signed in.
	Email string

	// Flow is the hidden field of that name; "" leaves it out.
	Flow string

	// Here: the form says that the browser is to end up on this site, since
	// View.FormTargets does not name where the person's provider is.
	Here bool

	// Stay is the link for those who change their mind. Default: /.
	Stay string
}

// SignedOut says that the session has ended. It starts nothing by itself.
type SignedOut struct {
	// SignIn is the link for signing in again. Default: /auth-gateway/sign-in.
	SignIn string

	// StillAt names the identity provider where the person may still be
	// signed in, which does not end sessions there for others; or "".
	StillAt string
}

func (SignOut) name() string   { return "sign_out" }
func (SignedOut) name() string { return "signed_out" }

// Interface guards.
var (
	_ Page = SignOut{}
	_ Page = SignedOut{}
)
