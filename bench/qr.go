package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/url"

	"github.com/boombuler/barcode"
	boombuler "github.com/boombuler/barcode/qr"
	skip2 "github.com/skip2/go-qrcode"
	yeqown "github.com/yeqown/go-qrcode/v2"
	"rsc.io/qr"
)

// pixels is how large the peers draw: 8 for each module, as rsc.io/qr does.
const pixels = 8 * 45

// measureQR compares what a QR code costs.
func measureQR(ctx context.Context, out io.Writer, e effort, w *world) error {
	fmt.Fprint(out, "## 3. A QR code\n\n"+
		"Ours are whole answers: the login looked up, its browser checked, the picture drawn and written; the state's route does the\n"+
		"first two alone. The others only draw, the same text with the same correction level (M).\n\n")
	gate, err := w.gate(ctx, w.memory)
	if err != nil {
		return err
	}
	desktop := desktopOf(application("/wechat/", gate, gate.RequireWeChat))
	id, err := begin(ctx, desktop)
	if err != nil {
		return err
	}
	var contestants []contestant
	for _, route := range []string{"qr.svg", "qr.png", "state?seen=none"} {
		c, err := served(ctx, desktop, "/wechat/login/"+id+"/"+route)
		if err != nil {
			return err
		}
		c.name = "scangate GET " + route
		contestants = append(contestants, c)
	}
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
	report(out, cpu, "QR code", results)
	return nil
}

// served is a GET of a visitor's.
func served(ctx context.Context, v *visitor, target string) (contestant, error) {
	first, err := v.get(ctx, target)
	if err != nil {
		return contestant{}, err
	}
	r, err := v.request(ctx, http.MethodGet, target, "")
	if err != nil {
		return contestant{}, err
	}
	do := func(n int) error {
		w := &nowhere{}
		again := new(http.Request)
		for range n {
			*again = *r
			again.URL = new(url.URL)
			*again.URL = *r.URL
			w.header, w.status = make(http.Header), 0
			v.handler.ServeHTTP(w, again)
		}
		if w.status >= http.StatusBadRequest {
			return fmt.Errorf("status %d", w.status)
		}
		return nil
	}
	return contestant{do: do, size: len(first.body)}, nil
}

// qrPeer draws a QR code and returns how many bytes that is.
type qrPeer struct {
	name string
	draw func() (int, error)
}

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
		{"yeqown/go-qrcode, modules alone", func() (int, error) {
			code, err := yeqown.NewWith(text, yeqown.WithErrorCorrectionLevel(yeqown.ErrorCorrectionMedium))
			if err != nil {
				return 0, err
			}
			return 0, code.Save(noWriter{})
		}},
	}
}

// noWriter takes the modules and draws nothing.
type noWriter struct{}

// Write implements [yeqown.Writer].
func (noWriter) Write(yeqown.Matrix) error { return nil }

// Close implements [yeqown.Writer].
func (noWriter) Close() error { return nil }
