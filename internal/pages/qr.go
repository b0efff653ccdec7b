package pages

import (
	"strconv"

	"rsc.io/qr"
)

// QRCode is a QR code that can be drawn.
type QRCode struct{ code *qr.Code }

// NewQRCode returns the QR code of a text. Its error correction is level M: 15 % of the
// code may be damaged, or hidden by a reflection on the screen.
func NewQRCode(text string) (QRCode, error) {
	code, err := qr.Encode(text, qr.M)
	return QRCode{code}, err
}

// PNG returns the code as a PNG image.
func (q QRCode) PNG() []byte { return q.code.PNG() }

// quietZone is the margin that ISO/IEC 18004 demands, in modules.
const quietZone = 4

// SVG returns the code as an SVG image, which is sharp at any size. It is one path with a
// rectangle for each horizontal run of black modules.
func (q QRCode) SVG() []byte {
	code := q.code
	size := strconv.Itoa(code.Size + 2*quietZone)
	b := make([]byte, 0, 8<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+size+` `+size+`" shape-rendering="crispEdges">`...)
	b = append(b, `<path fill="#fff" d="M0 0h`+size+`v`+size+`H0z"/><path d="`...)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
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
	return append(b, `"/></svg>`...)
}
