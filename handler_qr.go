package scangate

import (
	"net/http"
	"time"

	"github.com/scangate/scangate/internal/login"
	"github.com/scangate/scangate/internal/pages"
)

// serveQRSVG serves the QR code that the login page shows. SVG is sharp at any size.
func (g *Gate) serveQRSVG(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if g.pictures.shown(l) {
		return g.servePicture(w, r, l)
	}
	code, err := g.qrCode(r, l)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(code.SVG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// serveQRPNG serves the QR code for programs that cannot draw SVG.
func (g *Gate) serveQRPNG(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if g.pictures.shown(l) {
		return g.servePicture(w, r, l)
	}
	code, err := g.qrCode(r, l)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(code.PNG()) //nolint:gosec // drawn from modules, not from text
	return nil
}

// servePicture serves WeChat's code for the mini program.
func (g *Gate) servePicture(w http.ResponseWriter, r *http.Request, l *login.Login) error {
	if err := l.Open(); err != nil {
		return g.logins.withRetry(r, l, err)
	}
	extendDeadlines(w, time.Now().Add(slowAnswer)) // WeChat may take its time
	code, err := g.pictures.get(r, l)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", code.Type)
	_, _ = w.Write(code.Data) //nolint:gosec // a picture, by its type and its first bytes
	return nil
}

// codeText returns the text of the QR code that the login page shows, or "" if it shows
// digits without a code.
func (g *Gate) codeText(l *login.Login) string {
	switch {
	case !l.InChat():
		return g.urls.absolute("scan", l.ID())
	case l.Scene() != "":
		return l.Scene()
	}
	return g.config.Push.AccountQR
}

// matchesNumber reports whether the person has to type the number on the initiator's
// screen. In a chat after a scan that is always so.
func (g *Gate) matchesNumber(l *login.Login) bool {
	return !l.Typed() && (g.config.MatchNumber || l.Way() == login.WayFollow)
}

// qrCode encodes the text that the phone scans.
func (g *Gate) qrCode(r *http.Request, l *login.Login) (pages.QRCode, error) {
	if err := l.Open(); err != nil {
		return pages.QRCode{}, g.logins.withRetry(r, l, err)
	}
	text := g.codeText(l)
	if text == "" {
		return pages.QRCode{}, login.ErrUnknown
	}
	code, err := g.respond.pages.QRCode(text)
	return code, wrap("drawing a QR code", err)
}
