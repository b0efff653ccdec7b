package pages

import (
	"errors"
	"strconv"
	"sync/atomic"

	"rsc.io/qr"
	"rsc.io/qr/coding"
)

// QRCode is a QR code that can be drawn.
type QRCode struct{ code *qr.Code }

// QRCodes makes QR codes. Its zero value is ready, and safe for concurrent use.
type QRCodes struct {
	// plans are the places of the modules by version, which are the same for all texts. A
	// plan costs more than the rest of a code. Nothing changes it once it is made.
	plans [coding.MaxVersion + 1]atomic.Pointer[coding.Plan]
}

var errLongText = errors.New("the text is too long for a QR code")

// Encode returns the QR code of a text, as [qr.Encode] does. Its error correction is level M:
// 15 % of the code may be damaged, hidden by a reflection on the screen, or covered by the
// mark.
func (c *QRCodes) Encode(text string) (QRCode, error) {
	// Levels Q and H need more modules, which are smaller. zbarimg read 20 of 20 codes with
	// the mark at level M, down to 30 % of their size, but 16 at level Q and 12 at level H
	// at 40 %.
	const level = coding.M
	var content coding.Encoding = coding.String(text)
	switch {
	case coding.Num(text).Check() == nil:
		content = coding.Num(text)
	case coding.Alpha(text).Check() == nil:
		content = coding.Alpha(text)
	}
	version := coding.Version(coding.MinVersion)
	for content.Bits(version) > version.DataBytes(level)*8 {
		if version++; version > coding.MaxVersion {
			return QRCode{}, errLongText
		}
	}
	plan := c.plans[version].Load()
	if plan == nil {
		made, err := coding.NewPlan(version, level, 0)
		if err != nil {
			return QRCode{}, err
		}
		c.plans[version].Store(made)
		plan = made
	}
	code, err := plan.Encode(content)
	if err != nil {
		return QRCode{}, err
	}
	return QRCode{&qr.Code{Bitmap: code.Bitmap, Size: code.Size, Stride: code.Stride, Scale: 8}}, nil
}

// PNG returns the code as a PNG image, without the mark.
func (q QRCode) PNG() []byte { return q.code.PNG() }

// quietZone is the margin that ISO/IEC 18004 demands, in modules.
const quietZone = 4

// mark is two speech bubbles, in a box of 20 by 18. They show which app to scan with.
const mark = `<path fill="#07c160" d="M.2 6.7a7.4 6.4 0 1 1 14.8 0a7.4 6.4 0 1 1-14.8 0zM2.2 10l4.2 2.4-4.6 2zM4 5a1 1 0 1 0 2 0a1 1 0 1 0-2 0zM9 5a1 1 0 1 0 2 0a1 1 0 1 0-2 0z"/>` +
	`<path fill="#07c160" stroke="#fff" stroke-width=".8" paint-order="stroke" d="M7.6 11.6a6.1 5.3 0 1 1 12.2 0a6.1 5.3 0 1 1-12.2 0z"/>` +
	`<path fill="#07c160" d="M18.7 14.5l.3 3.4-3.6-1.4z"/><path fill="#fff" d="M10.9 10.1a.8.8 0 1 1 1.6 0a.8.8 0 1 1-1.6 0zM14.9 10.1a.8.8 0 1 1 1.6 0a.8.8 0 1 1-1.6 0z"/>`

// markSize returns the width of the square in the center that the mark takes, in modules:
// an odd number, as the code's width is, and at most 16 % of it.
func (q QRCode) markSize() int { return (q.code.Size*16/100-1)/2*2 + 1 }

// marked returns the first and the last row and column that the mark covers.
func (q QRCode) marked() (first, last int) {
	return (q.code.Size - q.markSize()) / 2, (q.code.Size+q.markSize())/2 - 1
}

// black reports whether the module is black in the image with the mark.
func (q QRCode) black(x, y int) bool {
	first, last := q.marked()
	return q.code.Black(x, y) && (x < first || x > last || y < first || y > last)
}

// SVG returns the code as an SVG image, which is sharp at any size. It is one path with a
// rectangle for each horizontal run of black modules, and the mark in the center.
func (q QRCode) SVG() []byte {
	code := q.code
	size := strconv.Itoa(code.Size + 2*quietZone)
	b := make([]byte, 0, 8<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+size+` `+size+`" shape-rendering="crispEdges">`...)
	b = append(b, `<path fill="#fff" d="M0 0h`+size+`v`+size+`H0z"/><path d="`...)
	first, last := q.marked()
	for y := range code.Size {
		beside := y < first || y > last // no part of the row is below the mark
		for x := 0; x < code.Size; x++ {
			start := x
			for code.Black(x, y) && (beside || x < first || x > last) {
				x++
			}
			if x > start {
				b = append(b, 'M')
				b = strconv.AppendInt(b, int64(start+quietZone), 10)
				b = append(b, ' ')
				b = strconv.AppendInt(b, int64(y+quietZone), 10)
				b = append(b, 'h')
				b = strconv.AppendInt(b, int64(x-start), 10)
				b = append(b, 'v', '1', 'H')
				b = strconv.AppendInt(b, int64(start+quietZone), 10)
				b = append(b, 'z')
			}
		}
	}
	// The mark's box leaves a tenth of a module free on each side.
	side := float64(q.markSize()) - 0.2
	left := float64(code.Size+2*quietZone)/2 - side/2
	b = append(b, `"/><g shape-rendering="auto" transform="translate(`...)
	b = strconv.AppendFloat(b, left, 'f', 2, 64)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, left+side/20, 'f', 2, 64) // the box is higher than the drawing
	b = append(b, `) scale(`...)
	b = strconv.AppendFloat(b, side/20, 'f', 3, 64)
	b = append(b, `)">`...)
	b = append(b, mark...)
	return append(b, `</g></svg>`...)
}
