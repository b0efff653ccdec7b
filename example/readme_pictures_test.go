package main

import (
	"bytes"
	"cmp"
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

// pictures are the pictures in the READMEs, with their names in docs/images.
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
	{"spa", "en", "dark", 640, 760, withWebsite, func(v *visit) { v.openDialog(); v.waitVisible(`.qr svg`) }},
}

// The limits of one picture and of all pictures, in bytes. A README has to load fast.
const (
	pictureLimit  = 40_000
	picturesLimit = 250_000
)

// TestReadmePictures checks the size of the pictures in the READMEs. If SCANGATE_PICTURES
// names a folder, the test first makes the pictures there.
func TestReadmePictures(t *testing.T) {
	folder := os.Getenv("SCANGATE_PICTURES")
	if folder != "" {
		browser := startChromium(t)
		for _, p := range pictures {
			t.Run(p.name, func(t *testing.T) {
				v := newVisit(t, browser, p.lang, p.config)
				p.show(v)
				v.setWindow(window{"", p.width, p.height}, p.scheme)
				v.do("sizing the window", chromedp.EmulateViewport(p.width, p.height, chromedp.EmulateScale(1.5)))
				v.savePicture(filepath.Join(folder, p.name+".png"))
			})
		}
	} else {
		folder = "../docs/images"
	}
	total := 0
	for _, p := range pictures {
		size := len(readFile(t, filepath.Join(folder, p.name+".png")))
		if total += size; size > pictureLimit {
			t.Errorf("%s.png: got %d bytes, want at most %d", p.name, size, pictureLimit)
		}
	}
	if total > picturesLimit {
		t.Errorf("all pictures: got %d bytes, want at most %d", total, picturesLimit)
	}
}

// savePicture writes a picture of the window with at most 65 colors, which keeps the file
// small.
func (v *visit) savePicture(file string) {
	v.t.Helper()
	picture := decodePicture(v.t, v.shot())
	// A frame of one pixel, so that a white page is visible in a white README.
	frame := color.RGBA{0xd0, 0xd4, 0xd2, 0xff}
	framed := image.NewPaletted(picture.Bounds(), append(palette(picture, 64), frame))
	draw.Draw(framed, framed.Bounds(), image.NewUniform(frame), image.Point{}, draw.Src)
	draw.Draw(framed, framed.Bounds().Inset(1), picture, picture.Bounds().Min.Add(image.Pt(1, 1)), draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, framed); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// palette returns the n most frequent colors of a picture. Drawing replaces other colors,
// such as those at the edges of letters, by the nearest one.
func palette(picture image.Image, n int) color.Palette {
	count := make(map[color.RGBA]int)
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			c := color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)
			count[c]++
		}
	}
	// The order of equal counts is fixed, so that the same page gives the same file.
	byCount := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	var frequent color.Palette
	for _, c := range byCount[:min(n, len(byCount))] {
		frequent = append(frequent, c)
	}
	return frequent
}
