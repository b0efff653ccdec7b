package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"net/url"

	"github.com/boombuler/barcode"
	boombuler "github.com/boombuler/barcode/qr"
	skip2 "github.com/skip2/go-qrcode"
	yeqown "github.com/yeqown/go-qrcode/v2"
	"rsc.io/qr"
)

// pixels is the width of the peers' pictures. rsc.io/qr draws 8 pixels for each
// module, and the code has 45 modules with its border.
const pixels = 8 * 45

// measureQR compares the costs of QR codes.
func measureQR(ctx context.Context, s *sheet, e effort, w *world) error {
	s.note("scangate's rows are whole requests: the gate finds the login, checks the browser, and draws and writes the picture; " +
		"the state route does the first two only; the other libraries only draw, with the same text and error correction level (M)")
	gate, err := w.gate(ctx, w.memory)
	if err != nil {
		return err
	}
	desktop := desktopOf(application("/wechat/", gate, gate.RequireWeChat))
	id, err := openLoginPage(ctx, desktop)
	if err != nil {
		return err
	}
	var contestants []contestant
	for _, route := range []string{"qr.svg", "qr.png", "state?seen=none"} {
		c, err := getContestant(ctx, desktop, "/wechat/login/"+id+"/"+route)
		if err != nil {
			return err
		}
		c.name = "scangate GET " + route
		contestants = append(contestants, c)
	}
	// The text of the gate's code, so that all codes have the same size.
	for _, p := range qrPeers(appURL + "/wechat/scan/" + id) {
		c := contestant{name: p.name, do: repeat(func() error { _, err := p.draw(); return err })}
		if c.size, err = p.draw(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		contestants = append(contestants, c)
	}
	results, err := e.contest(cpu, contestants)
	if err != nil {
		return err
	}
	s.report(cpu, "", results)
	return nil
}

// getContestant returns a contestant that sends a GET of a visitor. It writes the
// answers nowhere.
func getContestant(ctx context.Context, v *visitor, target string) (contestant, error) {
	first, err := v.get(ctx, target)
	if err != nil {
		return contestant{}, err
	}
	r, err := v.request(ctx, http.MethodGet, target, "")
	if err != nil {
		return contestant{}, err
	}
	do := func(n int) error {
		w := &discardWriter{}
		again := new(http.Request) // a copy for each call: handlers may change it
		for range n {
			*again = *r
			again.URL = new(url.URL)
			*again.URL = *r.URL
			// A new header, as a server has for each request.
			w.header, w.status = make(http.Header), 0
			v.handler.ServeHTTP(w, again)
		}
		if w.status >= http.StatusBadRequest {
			return fmt.Errorf("GET %s: status = %d, want below 400", target, w.status)
		}
		return nil
	}
	return contestant{do: do, size: len(first.body)}, nil
}

// qrPeer is a library for QR codes. draw returns the size of the picture in bytes.
type qrPeer struct {
	name string
	draw func() (int, error)
}

// qrPeers returns the libraries. Each draws the given text.
func qrPeers(text string) []qrPeer {
	return []qrPeer{
		{"rsc.io/qr, PNG", func() (int, error) {
			code, err := qr.Encode(text, qr.M)
			if err != nil {
				return 0, err
			}
			return len(code.PNG()), nil
		}},
		{"skip2/go-qrcode, PNG", func() (int, error) {
			picture, err := skip2.Encode(text, skip2.Medium, pixels)
			return len(picture), err
		}},
		{"boombuler/barcode, PNG", func() (int, error) {
			code, err := boombuler.Encode(text, boombuler.M, boombuler.Auto)
			if err != nil {
				return 0, err
			}
			scaled, err := barcode.Scale(code, pixels, pixels)
			if err != nil {
				return 0, err
			}
			var picture bytes.Buffer
			err = png.Encode(&picture, scaled)
			return picture.Len(), err
		}},
		{"yeqown/go-qrcode, modules only", func() (int, error) {
			code, err := yeqown.NewWith(text, yeqown.WithErrorCorrectionLevel(yeqown.ErrorCorrectionMedium))
			if err != nil {
				return 0, err
			}
			return 0, code.Save(discardModules{})
		}},
	}
}

// discardModules is a writer that draws nothing. The library draws in another
// module.
type discardModules struct{}

// Write implements [yeqown.Writer].
func (discardModules) Write(yeqown.Matrix) error { return nil }

// Close implements [yeqown.Writer].
func (discardModules) Close() error { return nil }
