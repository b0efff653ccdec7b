package scangate

import (
	"strconv"

	"rsc.io/qr"
)

// quietZone is the margin that ISO/IEC 18004 asks for, in modules.
const quietZone = 4

// qrSVG draws a QR code as one path: a rectangle for each run of black modules.
func qrSVG(code *qr.Code) []byte {
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
