package pages

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrCode is a QR code as one SVG path, drawn with a stroke of one unit.
type qrCode struct {
	Size int // width and height, the quiet zone of four modules included
	Path string
}

// drawQR encodes content. Level M survives a smudged screen and keeps the
// modules of an otpauth:// address large enough for an old camera.
func drawQR(content string) (qrCode, error) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return qrCode{}, fmt.Errorf("drawing the QR code: %w", err)
	}
	const quiet = 4
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		pen := 0 // where the last run of this row ended
		for x := 0; x < size; x++ {
			if !isDark(code.At(x, y)) {
				continue
			}
			end := x + 1
			for end < size && isDark(code.At(end, y)) {
				end++
			}
			if pen == 0 {
				fmt.Fprintf(&path, "M%d %d.5", x+quiet, y+quiet)
			} else {
				path.WriteString("m" + strconv.Itoa(x-pen) + " 0")
			}
			path.WriteString("h" + strconv.Itoa(end-x))
			pen, x = end, end
		}
	}
	return qrCode{Size: size + 2*quiet, Path: path.String()}, nil
}

func isDark(c interface{ RGBA() (r, g, b, a uint32) }) bool {
	r, _, _, _ := c.RGBA()
	return r < 0x8000
}
