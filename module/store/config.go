package store

// Config says which database holds the store.
type Config struct {
	// Driver is the kind of database. Only "sqlite" is available. Default: sqlite.
	Driver string `json:"driver,omitempty"`

	// Path of the database file. Relative paths are relative to Caddy's
	// working directory. Default: auth_gateway/auth_gateway.db in Caddy's
	// data directory.
	Path string `json:"path,omitempty"`
}
