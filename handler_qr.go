package scangate

import (
	"net/http"

	"github.com/scangate/scangate/internal/pages"
)

// qrCode returns the QR code that the phone scans.
func (g *Gate) qrCode(r *http.Request) (pages.QRCode, error) {
	a, err := g.askedBy(r)
	if err != nil {
		return pages.QRCode{}, err
	}
	if err := a.open(); err != nil {
		return pages.QRCode{}, g.again(r, a, err)
	}
	code, err := pages.NewQRCode(g.absolute(g.path("scan", a.ID)))
	return code, wrap("drawing a QR code", err)
}

// serveQRSVG serves the QR code as the login page shows it.
func (g *Gate) serveQRSVG(w http.ResponseWriter, r *http.Request) error {
	code, err := g.qrCode(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(code.SVG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// serveQRPNG serves the QR code for programs that cannot draw SVG.
func (g *Gate) serveQRPNG(w http.ResponseWriter, r *http.Request) error {
	code, err := g.qrCode(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(code.PNG()) //nolint:gosec // drawn from modules, not from text
	return nil
}
