package module

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// ownStore does acts in this process, on the store that a configuration names.
type ownStore struct {
	app    *App
	mux    *http.ServeMux
	config configuration
}

// openOwn opens the store of a configuration, as Caddy would, without anything
// else of it: no site is served, no log is opened, no certificate is asked for.
func openOwn(config []byte) (*ownStore, error) {
	var raw struct {
		Storage json.RawMessage            `json:"storage"`
		Apps    map[string]json.RawMessage `json:"apps"`
	}
	config = caddy.RemoveMetaFields(config)
	if err := json.Unmarshal(config, &raw); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	read, err := readConfiguration(config)
	if err != nil {
		return nil, err
	}
	if raw.Apps["auth_gateway"] == nil {
		if len(read.sites()) == 0 {
			return nil, errors.New("the configuration does not use auth_gateway: put the directive into a site")
		}
		raw.Apps["auth_gateway"] = json.RawMessage("{}")
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		// What is not an error would stand between a person and the answer.
		Logging:    &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}}}},
		StorageRaw: raw.Storage,
		AppsRaw:    caddy.ModuleMap{"auth_gateway": raw.Apps["auth_gateway"]},
	})
	if err != nil {
		return nil, err
	}
	module, err := ctx.AppIfConfigured("auth_gateway")
	if err != nil {
		return nil, err
	}
	own := &ownStore{app: module.(*App), mux: http.NewServeMux(), config: read}
	if err := own.app.Start(); err != nil {
		return nil, errors.Join(err, own.close())
	}
	at := newDesk(own.app, own.app.service.Load())
	for _, route := range actRoutes(func() (*desk, error) { return at, nil }) {
		own.mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			w.(*answerWriter).err = route.Handler.ServeHTTP(w, r)
		})
	}
	return own, nil
}

func (o *ownStore) call(method, uri string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(method, uri, bytes.NewReader(body))
	if err != nil {
		return err
	}
	var answer bytes.Buffer
	if err := o.serve(r, &answer); err != nil {
		return err
	}
	return json.Unmarshal(answer.Bytes(), out)
}

func (o *ownStore) stream(uri string, from func(io.Reader) error) error {
	r, err := http.NewRequest(http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	served := make(chan error, 1)
	go func() {
		err := o.serve(r, writer)
		writer.CloseWithError(err)
		served <- err
	}()
	err = from(reader)
	reader.Close() // nobody writes to what is not read any more
	if refused := <-served; refused != nil {
		return refused
	}
	return err
}

// serve does an act and writes the answer to body. What is refused is an error,
// and has no answer.
func (o *ownStore) serve(r *http.Request, body io.Writer) error {
	w := &answerWriter{header: make(http.Header), body: body}
	o.mux.ServeHTTP(w, r)
	var said caddy.APIError
	if errors.As(w.err, &said) && said.Message != "" {
		return adminError{status: said.HTTPStatus, message: said.Message}
	}
	return w.err
}

func (o *ownStore) configuration() (configuration, error) { return o.config, nil }

func (o *ownStore) overNetwork() bool { return false }

// close ends what openOwn began. The secret and the rows are kept by then.
func (o *ownStore) close() error { return errors.Join(o.app.Stop(), o.app.Cleanup()) }

// answerWriter takes the answer to a request of this process.
type answerWriter struct {
	header http.Header
	body   io.Writer
	err    error
}

// Header implements http.ResponseWriter.
func (w *answerWriter) Header() http.Header { return w.header }

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

// WriteHeader implements http.ResponseWriter. Errors come as errors.
func (*answerWriter) WriteHeader(int) {}

// Interface guards.
var (
	_ actor               = running{}
	_ actor               = (*ownStore)(nil)
	_ http.ResponseWriter = (*answerWriter)(nil)
)
