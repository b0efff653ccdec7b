package main

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/scangate/scangate"
)

// pictures are those of README.md, by their names in docs/images.
var pictures = []struct {
	name, lang, scheme string
	width, height      int64
	config             func(*scangate.Config)
	show               func(*visit)
}{
	{"login-en", "en", "light", 900, 600, nil, func(v *visit) { v.login() }},
	{"login-zh", "zh-CN", "light", 900, 600, nil, func(v *visit) { v.login() }},
	{"confirm-en", "en", "light", 360, 560, nil, func(v *visit) { v.scan("lin") }},
	{"confirm-zh", "zh-CN", "light", 360, 560, nil, func(v *visit) { v.scan("lin") }},
	{"phone-en", "en", "light", 360, 560, withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000") }},
	{"phone-zh", "zh-CN", "light", 360, 560, withPhone, func(v *visit) { v.scan("wang"); v.sendCode("13800138000") }},
	{"done-en", "en", "light", 360, 560, nil, func(v *visit) { v.scan("lin"); v.answer("approve") }},
	{"done-zh", "zh-CN", "light", 360, 560, nil, func(v *visit) { v.scan("lin"); v.answer("approve") }},
	{"spa", "en", "dark", 640, 620, withWebsite, func(v *visit) {
		v.open("/spa/")
		v.click(`#open`)
		v.waitVisible(`[data-show=waiting]`)
		eventually(v.t, "the QR code is there", func() bool { return read[bool](v, `document.querySelector(".qr img").naturalWidth > 0`) })
	}},
}

// Their limits, in bytes: a README is to be there at once.
const (
	pictureLimit  = 40_000
	picturesLimit = 250_000
)

// TestReadmePictures makes the pictures of README.md, in the folder that
// SCANGATE_PICTURES names. Without that it looks at how large they are.
func TestReadmePictures(t *testing.T) {
	folder := os.Getenv("SCANGATE_PICTURES")
	if folder != "" {
		browser := startChromium(t)
		for _, p := range pictures {
			t.Run(p.name, func(t *testing.T) {
				v := newVisit(t, browser, p.lang, p.config)
				p.show(v)
				v.look(window{"", p.width, p.height}, p.scheme)
				v.do("sizing the window", chromedp.EmulateViewport(p.width, p.height, chromedp.EmulateScale(1.5)))
				v.keep(filepath.Join(folder, p.name+".png"))
			})
		}
	} else {
		folder = "../docs/images"
	}
	total := 0
	for _, p := range pictures {
		size := len(readFile(t, filepath.Join(folder, p.name+".png")))
		if total += size; size > pictureLimit {
			t.Errorf("%s has %d bytes", p.name, size)
		}
	}
	if total > picturesLimit {
		t.Errorf("all together have %d bytes", total)
	}
}

// keep writes what the window shows, with few colors.
func (v *visit) keep(file string) {
	v.t.Helper()
	var shot []byte
	v.do("taking a picture", func(ctx context.Context, target *chromedp.Target) (none chromedp.Void, err error) {
		shot, err = chromedp.CaptureScreenshot()(ctx, target)
		return none, err
	})
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		v.t.Fatal(err)
	}
	frame := color.RGBA{0xd0, 0xd4, 0xd2, 0xff} // a white page on a white page needs one
	few := image.NewPaletted(picture.Bounds(), append(palette(picture, 64), frame))
	draw.Draw(few, few.Bounds(), image.NewUniform(frame), image.Point{}, draw.Src)
	draw.Draw(few, few.Bounds().Inset(1), picture, picture.Bounds().Min.Add(image.Pt(1, 1)), draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, few); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// palette returns the colors that are most frequent. What lies between them, at
// the edges of letters, becomes the nearest.
func palette(picture image.Image, n int) color.Palette {
	count := make(map[color.RGBA]int)
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			c := color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)
			count[c]++
		}
	}
	byCount := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	var few color.Palette
	for _, c := range byCount[:min(n, len(byCount))] {
		few = append(few, c)
	}
	return few
}
