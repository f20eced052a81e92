package module

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"github.com/auth-gateway/caddy-auth-gateway/module/secret"
	"github.com/auth-gateway/caddy-auth-gateway/module/store"
)

// secretKey is where a secret of our own making is in Caddy's storage.
const secretKey = "auth_gateway/secret"

// resealBatch is how many values are sealed anew in one transaction.
const resealBatch = 200

// loadRing returns the keys made of the configured secrets, or of one that is
// made once and kept in Caddy's storage.
func (a *App) loadRing() (*secret.Ring, error) {
	secrets := a.Secrets
	if len(secrets) == 0 {
		own, err := a.ownSecret()
		if err != nil {
			return nil, fmt.Errorf("the secret in Caddy's storage: %w; set `secret` in the global auth_gateway block instead", err)
		}
		secrets = []string{own}
	}
	ring, err := secret.NewRing(secrets...)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return ring, nil
}

// ownSecret returns the secret of our own making, and makes it if there is none.
func (a *App) ownSecret() (string, error) {
	storage := a.ctx.Storage()
	if err := storage.Lock(a.ctx, secretKey); err != nil {
		return "", err
	}
	defer func() { _ = storage.Unlock(context.WithoutCancel(a.ctx), secretKey) }()

	kept, err := storage.Load(a.ctx, secretKey)
	if err == nil {
		return string(kept), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var random [32]byte
	rand.Read(random[:])
	made := base64.RawStdEncoding.EncodeToString(random[:])
	return made, storage.Store(a.ctx, secretKey, []byte(made))
}

// checkSealed refuses keys with which something in the store could not be
// opened: starting without them would lose people's second factors.
func checkSealed(ctx context.Context, st store.Store, ring *secret.Ring) error {
	missing := 0
	err := st.View(ctx, func(tx store.Tx) error {
		keys, err := tx.SealedKeys()
		for id, count := range keys {
			if !ring.Knows([]byte(id)) {
				missing += count
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for values sealed with other secrets: %w", err)
	}
	if missing > 0 {
		return fmt.Errorf("secret: %d values in the store are sealed with a secret that is not configured any more: "+
			"put it back behind the new one, `secret <new> <old>`, until they have been sealed anew", missing)
	}
	return nil
}

// resealAll seals anew whatever is sealed with another key than the newest,
// and returns how many values that were.
func resealAll(ctx context.Context, st store.Store, ring *secret.Ring) (int, error) {
	total := 0
	for {
		count := 0
		err := st.Update(ctx, func(tx store.Tx) error {
			count = 0
			values, err := tx.SealedNotWith(ring.KeyID(), resealBatch)
			if err != nil {
				return err
			}
			for _, value := range values {
				row := value.Table + "/" + value.Row
				plain, err := ring.Open(value.Value, row)
				if err != nil {
					return fmt.Errorf("%s: %w", row, err)
				}
				if err := tx.Reseal(value, ring.Seal(plain, row)); err != nil {
					return fmt.Errorf("%s: %w", row, err)
				}
				count++
			}
			return nil
		})
		if err != nil {
			return total, fmt.Errorf("sealing anew: %w", err)
		}
		total += count
		if count < resealBatch {
			return total, nil
		}
	}
}
