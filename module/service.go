package module

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/auth-gateway/caddy-auth-gateway/module/account"
	"github.com/auth-gateway/caddy-auth-gateway/module/audit"
	"github.com/auth-gateway/caddy-auth-gateway/module/console"
	"github.com/auth-gateway/caddy-auth-gateway/module/deliver"
	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/letter"
	"github.com/auth-gateway/caddy-auth-gateway/module/profile"
	"github.com/auth-gateway/caddy-auth-gateway/module/program"
	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/session"
	"github.com/auth-gateway/caddy-auth-gateway/module/signin"
	"github.com/auth-gateway/caddy-auth-gateway/module/sso"
	"github.com/auth-gateway/caddy-auth-gateway/module/upstream"
)

// service is an app at work: what answers requests, with the store open and
// the keys at hand.
type service struct {
	sessions     *session.Keeper
	people       *account.People
	trail        *audit.Trail
	conversation *signin.Conversation
	profile      *profile.Pages
	console      *console.Console
	programs     *program.Access
	letters      *letter.Writer
	assertions   *assertionKeys
	providers    map[string]*sso.Provider // by the name of the SSO config
	upstream     *upstream.Sessions
	revalidator  *upstream.Revalidator

	stop     context.CancelFunc
	resealed chan struct{} // closed when nothing is sealed anew any more
}

// newService puts a service together.
func (a *App) newService(ring *secret.Ring) (*service, error) {
	if err := checkSealed(a.ctx, a.engine.store, ring); err != nil {
		return nil, err
	}
	lifetimes := make(map[string]session.Lifetimes, len(a.doors))
	for name, door := range a.doors {
		lifetimes[name] = session.Lifetimes{Idle: door.IdleTimeout(), Absolute: door.SessionLifetime()}
	}
	keeper, err := session.NewKeeper(a.engine.sessions, ring, lifetimes, time.Now)
	if err != nil {
		return nil, err
	}
	s := &service{
		sessions:   keeper,
		assertions: &assertionKeys{store: a.engine.store, ring: ring, clock: time.Now},
		providers:  make(map[string]*sso.Provider, len(a.SSO)),
	}
	providers := make(map[string]*signin.Provider, len(a.SSO))
	for name, config := range a.SSO {
		provider, err := sso.NewProvider(name, *config, config.ClientSecret, sso.Options{
			Organizations: a.Organizations,
			ClientKey:     a.keys[name],
			Log:           a.log.Named("sso"),
		})
		if err != nil {
			return nil, err
		}
		s.providers[name] = provider
		label := config.Button
		if label == "" {
			label = name
		}
		providers[name] = &signin.Provider{
			Provider: provider,
			Label:    label,
			Rules: account.Admission{
				Admit: config.Admit, TrustEmail: config.TrustEmail, JoinVerified: config.Link == sso.LinkVerifiedEmail, MaxRole: identity.Role(config.MaxRole),
			},
		}
	}
	s.people = account.New(account.Config{
		Store:  a.engine.store,
		Ring:   ring,
		Hasher: a.engine.hasher,
		Clock:  time.Now,
	})
	s.trail = audit.New(a.engine.store, a.log.Named("audit"), time.Now)
	if s.letters, err = a.newLetters(); err != nil {
		return nil, err
	}
	s.upstream = upstream.New(upstream.Config{
		Store:     a.engine.store,
		Ring:      ring,
		Trail:     s.trail,
		Providers: s.providers,
		Log:       a.log.Named("sso"),
		Clock:     time.Now,
	})
	s.conversation = signin.New(signin.Config{
		Store:     a.engine.store,
		Ring:      ring,
		People:    s.people,
		Sessions:  keeper,
		Pages:     a.answers.Pages,
		Trail:     s.trail,
		Providers: providers,
		Upstream:  s.upstream,
		Doors:     a.doors,
		Answers:   a.answers,
		Letters:   s.letters,
		Brand:     a.Brand.Name,
		Clock:     time.Now,
	})
	s.profile = profile.New(profile.Config{
		People:    s.people,
		Sessions:  keeper,
		Pages:     a.answers.Pages,
		Answers:   a.answers,
		Trail:     s.trail,
		Letters:   s.letters,
		Doors:     a.doors,
		Labels:    labels(providers),
		Issuers:   issuers(providers),
		Brand:     a.Brand.Name,
		Clock:     time.Now,
		FormToken: s.conversation.FormToken,
		OwnForm:   s.conversation.OwnForm,
		Link:      s.conversation.Link,
	})
	s.console = console.New(console.Config{
		Store:    a.engine.store,
		Ring:     ring,
		People:   s.people,
		Sessions: keeper,
		Trail:    s.trail,
		Answers:  a.answers,
		Doors:    a.doors,
		Clock:    time.Now,
	})
	s.programs, err = program.New(program.Config{
		Ring:     ring,
		People:   s.people,
		Sessions: keeper,
		Trail:    s.trail,
		Doors:    a.doors,
		Clock:    time.Now,
	})
	if err != nil {
		return nil, err
	}
	rules := make(map[string]account.Admission, len(providers))
	for name, provider := range providers {
		rules[name] = provider.Rules
	}
	s.revalidator, err = upstream.NewRevalidator(upstream.RevalidatorConfig{Sessions: s.upstream, People: s.people, Rules: rules})
	if err != nil {
		return nil, err
	}
	keeper.Watch(s.revalidator.Used)
	background, stop := context.WithCancel(context.Background())
	s.stop, s.resealed = stop, make(chan struct{})
	go func() {
		defer close(s.resealed)
		a.reseal(background, ring)
		a.prepareAssertions(background, s)
	}()
	return s, nil
}

// newLetters returns who writes to people, as far as anything can be sent.
func (a *App) newLetters() (*letter.Writer, error) {
	c := letter.Config{Post: a.engine.post, Pages: a.answers.Pages, Clock: time.Now}
	if a.Mail != nil {
		mailer, err := deliver.NewMailer(*a.Mail)
		if err != nil {
			return nil, err
		}
		c.Mailer = mailer
	}
	if a.SMS != nil {
		c.Texter = deliver.NewTexter(*a.SMS)
	}
	return letter.New(c), nil
}

func labels(providers map[string]*signin.Provider) map[string]string {
	labels := make(map[string]string, len(providers))
	for name, provider := range providers {
		labels[name] = provider.Label
	}
	return labels
}

func issuers(providers map[string]*signin.Provider) map[string]string {
	issuers := make(map[string]string, len(providers))
	for name, provider := range providers {
		issuers[name] = provider.Config().Issuer
	}
	return issuers
}

// reseal seals anew, with the secret in use, what an older one has sealed.
func (a *App) reseal(ctx context.Context, ring *secret.Ring) {
	count, err := resealAll(ctx, a.engine.store, ring)
	if err != nil && ctx.Err() == nil {
		a.log.Error("sealing anew with the new secret failed; the older secret is still needed", zap.Error(err))
		return
	}
	if count > 0 {
		a.log.Info("sealed anew with the secret in use; older ones can be taken out of the configuration", zap.Int("values", count))
	}
}

// prepareAssertions makes the first key of assertions where a gateway signs some,
// so that apps find it published, and tells early of keys that cannot be used.
func (a *App) prepareAssertions(ctx context.Context, s *service) {
	if !a.asserts.Load() || ctx.Err() != nil {
		return
	}
	if _, err := s.assertions.current(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the keys of assertions cannot be used, so sites with assertion stay closed", zap.Error(err))
	}
}

// close ends what newService began.
func (s *service) close() error {
	s.stop()
	<-s.resealed // the store may close next
	s.revalidator.Close()
	for _, provider := range s.providers {
		_ = provider.Close() // closes idle connections, nothing can fail that matters now
	}
	return s.trail.Close()
}
