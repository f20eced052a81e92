package pages

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

var pathStep = regexp.MustCompile(`M(\d+) (\d+)\.5|m(\d+) 0|h(\d+)`)

// TestQRPath walks the path as a browser does and gets the library's modules.
func TestQRPath(t *testing.T) {
	for _, content := range []string{"a", testURL, strings.Repeat("long ", 100)} {
		drawn, err := drawQR(content)
		if err != nil {
			t.Fatal(err)
		}
		want, err := qr.Encode(content, qr.M, qr.Auto)
		if err != nil {
			t.Fatal(err)
		}
		dark := map[string]bool{}
		x, y := 0, 0
		for _, m := range pathStep.FindAllStringSubmatch(drawn.Path, -1) {
			switch {
			case m[1] != "":
				x, y = number(m[1]), number(m[2])
			case m[3] != "":
				x += number(m[3])
			default:
				for range number(m[4]) {
					dark[fmt.Sprint(x, y)] = true
					x++
				}
			}
		}
		if rest := pathStep.ReplaceAllString(drawn.Path, ""); rest != "" {
			t.Fatalf("%q is no path that this test knows", rest)
		}
		for y := range drawn.Size {
			for x := range drawn.Size {
				is := x >= 4 && y >= 4 && x < drawn.Size-4 && y < drawn.Size-4 && isDark(want.At(x-4, y-4))
				if dark[fmt.Sprint(x, y)] != is {
					t.Fatalf("%d characters: module %d,%d is dark: %t", len(content), x, y, !is)
				}
			}
		}
	}
}

// TestQRTooLong leaves the QR code out; the key can still be typed.
func TestQRTooLong(t *testing.T) {
	if _, err := drawQR(strings.Repeat("x", 5000)); err == nil {
		t.Error("5000 characters do not fit a QR code")
	}
	p := newPages(t, Brand{}, "")
	page := Enroll{URL: "otpauth://totp/" + strings.Repeat("x", 5000), Key: testKey}
	write(t, p, View{Host: "h"}, page)
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
