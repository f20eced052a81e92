package account

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/auth-gateway/caddy-auth-gateway/module/identity"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
	"github.com/auth-gateway/caddy-auth-gateway/module/store/storetest"
)

func TestReportRoles(t *testing.T) {
	for _, tc := range []struct {
		name  string
		asked []string
		want  []identity.Role
	}{
		{"nothing", nil, []identity.Role{identity.Agent, identity.Admin}},
		{"one", []string{"admin"}, []identity.Role{identity.Admin}},
		{"all, some twice", []string{"admin", "end-user", "agent", "admin"}, []identity.Role{identity.EndUser, identity.Agent, identity.Admin}},
	} {
		if got, err := ReportRoles(tc.asked...); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
	for _, name := range []string{"boss", "", "Admin"} {
		if got, err := ReportRoles("agent", name); err == nil {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// What is said of a person with that many second factors.
func TestFactorStatus(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2030, 1, n, 0, 0, 0, 0, time.UTC) }
	app := store.Factor{Method: store.MethodApp, Required: true, CreatedAt: day(1), UsedAt: day(5)}
	mail := store.Factor{Method: store.MethodEmail, CreatedAt: day(2), UsedAt: day(4)}
	sms := store.Factor{Method: store.MethodSMS, Required: true, CreatedAt: day(3)}
	prefer := func(f store.Factor) store.Factor { f.Preferred = true; return f }
	for _, tc := range []struct {
		name    string
		factors []store.Factor
		want    FactorStatus
	}{
		{"none", nil, FactorStatus{Methods: []store.Method{}}},
		{"required", []store.Factor{prefer(app)}, FactorStatus{Methods: []store.Method{"app"}, SetUpBy: ByRequirement, Since: day(1), LastUsed: day(5)}},
		{"chosen", []store.Factor{mail}, FactorStatus{Methods: []store.Method{"email"}, SetUpBy: ByChoice, Since: day(2), LastUsed: day(4)}},
		{"all required, never used", []store.Factor{sms, sms}, FactorStatus{Methods: []store.Method{"sms", "sms"}, SetUpBy: ByRequirement, Since: day(3)}},
		{"one chosen beside, another preferred", []store.Factor{app, mail, prefer(sms)}, FactorStatus{
			Methods: []store.Method{"sms", "app", "email"}, SetUpBy: ByChoice, Since: day(1), LastUsed: day(5),
		}},
		{"one chosen at first", []store.Factor{mail, prefer(sms)}, FactorStatus{
			Methods: []store.Method{"sms", "email"}, SetUpBy: ByChoice, Since: day(2), LastUsed: day(4),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := factorStatus(store.AccountFactors{Factors: tc.factors})
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

// crowd adds agents, and end users between them.
func (w *world) crowd(agents int) {
	w.t.Helper()
	w.update(func(tx store.Tx) error {
		for i := range 2 * agents {
			a := store.Account{ID: store.NewID(), Attributes: identity.Attributes{
				Email: fmt.Sprintf("p%05d@example.test", i), Role: []identity.Role{identity.Agent, identity.EndUser}[i%2],
			}}
			if err := tx.CreateAccount(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// Everybody asked for is in it once, in order, and nobody else.
func TestReportSecondFactors(t *testing.T) {
	for _, agents := range []int{0, 1, reportPage - 1, reportPage, reportPage + 1, 2 * reportPage} {
		t.Run(fmt.Sprint(agents), func(t *testing.T) {
			w := newWorld(t)
			w.crowd(agents)
			next, pages := 0, 0
			err := w.ReportSecondFactors(t.Context(), []identity.Role{identity.Agent, identity.Admin}, func(page []FactorStatus) error {
				pages++
				for _, s := range page {
					if want := fmt.Sprintf("p%05d@example.test", 2*next); s.Email != want || s.Role != identity.Agent {
						t.Fatalf("number %d is %+v, want %s", next, s, want)
					}
					next++
				}
				return nil
			})
			if err != nil || next != agents || pages != agents/reportPage+1 {
				t.Errorf("%d accounts on %d pages, %v", next, pages, err)
			}
		})
	}
}

// What is not whole ends in an error, not in a shorter report.
func TestReportOfAFailingStore(t *testing.T) {
	w := newWorld(t)
	w.crowd(2*reportPage + 1)
	whole, fault := w.store, errors.New("the disk has gone")
	for _, at := range []string{"view", "viewed"} {
		for broken := range 3 {
			views, pages := 0, 0
			w.store = storetest.Failing(whole, func(op string) error {
				if op != at {
					return nil
				}
				if views++; views == broken+1 {
					return fault
				}
				return nil
			})
			err := w.ReportSecondFactors(t.Context(), []identity.Role{identity.Agent}, func([]FactorStatus) error {
				pages++
				return nil
			})
			if !errors.Is(err, fault) || pages != broken {
				t.Errorf("%s %d: %d pages, %v", at, broken, pages, err)
			}
		}
	}

	w.store = whole
	gone, pages := errors.New("the reader has gone"), 0
	err := w.ReportSecondFactors(t.Context(), []identity.Role{identity.Agent}, func([]FactorStatus) error {
		pages++
		return gone
	})
	if !errors.Is(err, gone) || pages != 1 {
		t.Errorf("%d pages, %v", pages, err)
	}
}
