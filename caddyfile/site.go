package caddyfile

import (
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// containers are the directives whose blocks hold directives.
var containers = []string{"handle", "handle_path", "handle_errors", "route"}

// gate is one auth_gateway directive of a site.
type gate struct {
	token caddyfile.Token
	// blocks are the blocks around it, from the site inwards.
	blocks []*block
}

// block is the site, or a container in it. What counts is which one it is.
type block struct{ _ byte }

// checkSite returns an error for a second auth_gateway in one block of the site
// that h stands in, or in a block inside of it: the first guards both already.
func checkSite(h httpcaddyfile.Helper) error {
	site, ok := siteBlock(h)
	if !ok {
		return nil
	}
	segments := site.Segments
	if site.IsNamedRoute {
		// Caddy keeps these in one piece, braces included.
		segments = inner(slices.Concat(segments...))
	}
	gates := gatesIn(new(block), segments, nil)
	for i, second := range gates {
		for _, first := range gates[:i] {
			long, short := second.blocks, first.blocks
			if len(long) < len(short) {
				long, short = short, long
			}
			if long[len(short)-1] == short[len(short)-1] {
				return errAt(second.token, "a second auth_gateway in one block: the first, at %s:%d, guards everything in it; "+
					"write `audience <name> <path>...` there for paths of other people", first.token.File, first.token.Line)
			}
		}
	}
	return nil
}

// checkNamed returns an error for an auth_gateway that stands in the block of a
// site of which no exact name is known: a portal could send nobody back there. In
// a block inside of the site it may be chosen by name.
func checkNamed(h httpcaddyfile.Helper, at caddyfile.Token) error {
	site, ok := siteBlock(h)
	if !ok || site.IsNamedRoute {
		return nil
	}
	outermost := slices.ContainsFunc(site.Segments, func(segment caddyfile.Segment) bool {
		return segment.Directive() == name && segment[0].File == at.File && segment[0].Line == at.Line
	})
	if !outermost {
		return nil
	}
	for _, key := range site.Keys {
		address, err := httpcaddyfile.ParseAddress(key.Text)
		if err != nil || address.Host != "" && !strings.ContainsAny(address.Host, "*{") {
			return nil
		}
	}
	return errAt(at, "a portal sends people back to exact names only, and this site has none: add `origin https://…`, its own address")
}

// gatesIn finds the directives in the segments of a block, in the order in
// which Caddy comes to them.
func gatesIn(here *block, segments []caddyfile.Segment, around []*block) (gates []gate) {
	blocks := append(slices.Clone(around), here)
	for _, segment := range segments {
		switch directive := segment.Directive(); {
		case directive == name:
			gates = append(gates, gate{segment[0], blocks})
		case slices.Contains(containers, directive):
			gates = append(gates, gatesIn(new(block), inner(segment), blocks)...)
		}
	}
	return gates
}

// inner returns the segments in the block that a segment opens.
func inner(segment caddyfile.Segment) (segments []caddyfile.Segment) {
	d := caddyfile.NewDispenser(segment)
	d.Next()
	d.RemainingArgs()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		segments = append(segments, d.NextSegment())
	}
	return segments
}

// siteBlock returns the site, or named route, that a directive stands in.
//
// Caddy has no way to ask for it: BlockState, which is meant for what belongs
// to a block, is one and the same for all sites. So the field is read as it is.
// Should it go away one day, ok is false, and a second directive goes unnoticed.
func siteBlock(h httpcaddyfile.Helper) (site caddyfile.ServerBlock, ok bool) {
	helper := reflect.New(reflect.TypeOf(h)).Elem()
	helper.Set(reflect.ValueOf(h))
	field := helper.FieldByName("parentBlock")
	if !field.IsValid() || field.Type() != reflect.TypeOf(site) {
		return site, false
	}
	site, ok = reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Interface().(caddyfile.ServerBlock)
	return site, ok
}
