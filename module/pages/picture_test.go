//go:build integration

package pages

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

var updatePicture = flag.Bool("update-picture", false, "replace examples/sign-in.png, the README's picture")

// TestReadmePicture takes the README's picture: the sign-in page in light and
// in dark, in both languages, side by side. It goes where the others go, and
// with -update-picture into examples as well.
func TestReadmePicture(t *testing.T) {
	page := SignIn{ReturnTo: "/", Password: true, Reset: true}
	buttons := func(labels ...string) SignIn {
		page.Buttons = nil
		for _, label := range labels {
			page.Buttons = append(page.Buttons, Button{Label: label, Href: "/"})
		}
		return page
	}
	view := View{Host: "app.example.com", Self: "/auth-gateway/sign-in"}
	brand := Brand{Name: "Example Ltd.", Logo: "testdata/logo-adapts.svg", Accent: "#0b6e4f"}
	server := httptest.NewServer(site(newPages(t, brand, ""), []sample{
		{"light", view, buttons("Company account", "Partner account")},
		{"dark", view, buttons("社員アカウント", "パートナーアカウント")},
	}))
	defer server.Close()
	ctx := browser(t)
	content, err := sideBySide([]image.Image{
		half(t, ctx, server.URL+"/light?lang=en", "light"),
		half(t, ctx, server.URL+"/dark?lang=ja", "dark"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(content) > 80_000 {
		t.Errorf("the picture has %d bytes", len(content))
	}
	var files []string
	if folder := outputFolder(t); folder != "" {
		files = append(files, filepath.Join(folder, "readme.png"))
	}
	if *updatePicture {
		files = append(files, "../../examples/sign-in.png")
	}
	for _, file := range files {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// half takes one half of the picture, for screens with fine pixels.
func half(t *testing.T, ctx context.Context, address, name string) image.Image {
	t.Helper()
	if err := chromedp.Do(ctx, scheme(name), fineWindow(560, 820, 2), chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	content, err := chromedp.Run(ctx, capture)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

// sideBySide puts pictures next to each other, in the 256 colours that most of
// them is made of.
func sideBySide(pictures []image.Image) ([]byte, error) {
	var size image.Point
	for _, p := range pictures {
		size = image.Pt(size.X+p.Bounds().Dx(), max(size.Y, p.Bounds().Dy()))
	}
	whole := image.NewRGBA(image.Rectangle{Max: size})
	x := 0
	for _, p := range pictures {
		draw.Draw(whole, image.Rect(x, 0, x+p.Bounds().Dx(), size.Y), p, p.Bounds().Min, draw.Src)
		x += p.Bounds().Dx()
	}
	count := map[color.RGBA]int{}
	for y := range size.Y {
		for x := range size.X {
			count[whole.RGBAAt(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return int(a.R) - int(b.R) + 256*(int(a.G)-int(b.G)) + 65536*(int(a.B)-int(b.B))
	})
	palette := color.Palette{}
	for _, c := range colours[:min(256, len(colours))] {
		palette = append(palette, c)
	}
	few := image.NewPaletted(whole.Bounds(), palette)
	nearest := map[color.RGBA]uint8{}
	for y := range size.Y {
		for x := range size.X {
			c := whole.RGBAAt(x, y)
			index, known := nearest[c]
			if !known {
				index = uint8(palette.Index(c))
				nearest[c] = index
			}
			few.SetColorIndex(x, y, index)
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err := encoder.Encode(&out, few)
	return out.Bytes(), err
}
