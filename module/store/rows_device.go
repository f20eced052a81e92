package store

import "time"

const (
	deviceColumns = `id, account_id, method, address, browser, created_at, used_at, expires_at`

	insertDevice = `INSERT INTO trusted_devices (` + deviceColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET method = excluded.method, address = excluded.address, browser = excluded.browser,
		created_at = excluded.created_at, used_at = excluded.used_at, expires_at = excluded.expires_at
		WHERE trusted_devices.account_id = excluded.account_id`
	useDevice     = `UPDATE trusted_devices SET used_at = $1 WHERE id = $2 AND account_id = $3 AND expires_at > $1`
	selectDevice  = `SELECT ` + deviceColumns + ` FROM trusted_devices WHERE id = $1 AND account_id = $2 AND expires_at > $3`
	selectDevices = `SELECT ` + deviceColumns + ` FROM trusted_devices WHERE account_id = $1 AND expires_at > $2
		ORDER BY created_at DESC, id`
	deleteDevice  = `DELETE FROM trusted_devices WHERE id = $1 AND account_id = $2`
	forgetDevices = `DELETE FROM trusted_devices WHERE account_id = $1`
)

// TrustDevice implements DeviceRows.
func (t *tx) TrustDevice(d TrustedDevice) error {
	_, err := t.exec("trusting a device", insertDevice, d.ID, d.AccountID, string(d.Method), d.Address, d.Browser, stamp(d.CreatedAt),
		stamp(d.UsedAt), stamp(d.ExpiresAt))
	return err
}

// UseTrustedDevice implements DeviceRows.
func (t *tx) UseTrustedDevice(accountID string, id []byte, now time.Time) (bool, error) {
	n, err := t.exec("asking for a trusted device", useDevice, stamp(now), id, accountID)
	return n == 1, err
}

// TrustedDevice implements DeviceRows.
func (t *tx) TrustedDevice(accountID string, id []byte, now time.Time) (TrustedDevice, error) {
	var d TrustedDevice
	err := t.one("reading a trusted device", selectDevice, []any{id, accountID, stamp(now)}, d.columns()...)
	return d, err
}

// TrustedDevices implements DeviceRows.
func (t *tx) TrustedDevices(accountID string, now time.Time) ([]TrustedDevice, error) {
	scan := func(row scanner) (d TrustedDevice, err error) {
		err = row.Scan(d.columns()...)
		return d, err
	}
	return list(t, "listing trusted devices", scan, selectDevices, accountID, stamp(now))
}

// ForgetDevice implements DeviceRows.
func (t *tx) ForgetDevice(accountID string, id []byte) (bool, error) {
	n, err := t.exec("forgetting a trusted device", deleteDevice, id, accountID)
	return n == 1, err
}

// columns are where a row is scanned to.
func (d *TrustedDevice) columns() []any {
	return []any{&d.ID, &d.AccountID, &d.Method, &d.Address, &d.Browser, at(&d.CreatedAt), at(&d.UsedAt), at(&d.ExpiresAt)}
}
