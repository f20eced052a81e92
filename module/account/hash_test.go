package account

import (
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	h := NewHasher(NewGate(1), cheap)
	phc := h.make("a password")
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("hash %s", phc)
	}
	if phc == h.make("a password") {
		t.Error("two hashes of one password are the same")
	}
	for _, test := range []struct {
		name, password, phc string
		ok                  bool
	}{
		{"right", "a password", phc, true},
		{"wrong", "a passwore", phc, false},
		{"longer", "a password ", phc, false},
		{"empty", "", phc, false},
		{"nobody's", "a password", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.Hashes()
			ok, _, err := h.matches(test.password, test.phc)
			if err != nil || ok != test.ok {
				t.Errorf("got %v, %v", ok, err)
			}
			if n := h.Hashes() - before; n != 1 {
				t.Errorf("%d hashes, want one", n)
			}
		})
	}
	if DefaultParameters.Memory < 19*1024 || DefaultParameters.Time < 2 {
		t.Errorf("default parameters %+v are too weak", DefaultParameters)
	}
}

// The reference implementation's own test vector (RFC 9106 uses a secret and
// associated data, which PHC strings do not carry).
func TestHashOfTheReferenceImplementation(t *testing.T) {
	const vector = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h := NewHasher(NewGate(1), cheap)
	if ok, again, err := h.matches("password", vector); err != nil || !ok || again {
		t.Errorf("got %v, %v, %v", ok, again, err)
	}
}

func TestDamagedHashes(t *testing.T) {
	h := NewHasher(NewGate(1), cheap)
	good := h.make("a password")
	for name, phc := range map[string]string{
		"not a PHC string":  "a password",
		"bcrypt":            "$2b$12$abcdefghijklmnopqrstuv",
		"argon2i":           strings.Replace(good, "argon2id", "argon2i", 1),
		"another version":   strings.Replace(good, "v=19", "v=16", 1),
		"no memory":         strings.Replace(good, "m=64", "m=0", 1),
		"all the memory":    strings.Replace(good, "m=64", "m=4294967295", 1),
		"no passes":         strings.Replace(good, "t=1", "t=0", 1),
		"endless passes":    strings.Replace(good, "t=1", "t=4294967295", 1),
		"no threads":        strings.Replace(good, "p=1", "p=0", 1),
		"no salt":           "$argon2id$v=19$m=64,t=1,p=1$$" + strings.Repeat("A", 43),
		"no hash":           good[:strings.LastIndex(good, "$")+1],
		"a hash cut off":    good[:len(good)-4],
		"something after":   good + "$",
		"damaged base64":    good[:len(good)-1] + "!",
		"parameters absent": "$argon2id$v=19$c29tZXNhbHQ$" + strings.Repeat("A", 43),
	} {
		t.Run(name, func(t *testing.T) {
			if ok, _, err := h.matches("a password", phc); err == nil || ok {
				t.Errorf("%s: got %v, %v", phc, ok, err)
			}
		})
	}
}

func TestWeakerParameters(t *testing.T) {
	old := Parameters{Memory: 64, Time: 2, Threads: 1}
	for _, test := range []struct {
		name string
		now  Parameters
		want bool
	}{
		{"the same", old, false},
		{"more memory", Parameters{128, 2, 1}, true},
		{"more passes", Parameters{64, 3, 1}, true},
		{"less memory", Parameters{32, 2, 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			phc := NewHasher(NewGate(1), old).make("a password")
			ok, again, err := NewHasher(NewGate(1), test.now).matches("a password", phc)
			if err != nil || !ok || again != test.want {
				t.Errorf("got %v, %v, %v; want again %v", ok, again, err, test.want)
			}
		})
	}
}
