package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// sheets are contact sheets under construction: small pictures of many pages, by the name of
// the sheet.
type sheets struct {
	mu    sync.Mutex
	pages map[string][]thumbnail
}

// thumbnail is a small picture with its caption.
type thumbnail struct {
	caption string
	picture *image.RGBA
}

// The measures of a contact sheet, in pixels.
const (
	sheetWidth    = 2400
	captionHeight = 18
	sheetGap      = 8
)

// add adds a page to a sheet. A page of a narrow window keeps its size.
func (s *sheets) add(sheet, caption string, picture image.Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pages == nil {
		s.pages = make(map[string][]thumbnail)
	}
	width := 240
	if picture.Bounds().Dx() > 1000 {
		width = 390
	}
	s.pages[sheet] = append(s.pages[sheet], thumbnail{caption, shrink(picture, width)})
}

// write writes the sheets into the folder that SCANGATE_SCREENSHOTS names.
func (s *sheets) write(t *testing.T, browser *browser) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(s.pages)) {
		pages := s.pages[name]
		slices.SortFunc(pages, func(a, b thumbnail) int { return strings.Compare(a.caption, b.caption) })
		var b bytes.Buffer
		if err := png.Encode(&b, layOut(pages, captions(t, browser, pages))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(os.Getenv("SCANGATE_SCREENSHOTS"), "sheet-"+name+".png"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// captions returns a picture of the captions, one below the other. The browser draws them: it
// has fonts.
func captions(t *testing.T, browser *browser, pages []thumbnail) image.Image {
	t.Helper()
	v := &visit{tab: &tab{t: t, window: windows[0]}}
	v.attach(browser.open(t))
	var names []string
	for _, page := range pages {
		names = append(names, page.caption)
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	v.evaluate(`document.body.style.cssText = "margin: 0; font: 13px/18px sans-serif; white-space: nowrap";
		for (const name of ` + string(list) + `) document.body.appendChild(document.createElement("div")).textContent = name`)
	v.do("sizing the window", chromedp.EmulateViewport(400, int64(len(pages)*captionHeight)))
	return decodePicture(t, v.shot())
}

// layOut puts the pages in rows, each below its caption.
func layOut(pages []thumbnail, captions image.Image) image.Image {
	columns := (sheetWidth - sheetGap) / (pages[0].picture.Bounds().Dx() + sheetGap)
	places := make([]image.Point, len(pages))
	y, next := sheetGap, 0
	for i, page := range pages {
		if i%columns == 0 {
			y = max(y, next)
		}
		places[i] = image.Pt(sheetGap+i%columns*(page.picture.Bounds().Dx()+sheetGap), y)
		next = max(next, y+captionHeight+page.picture.Bounds().Dy()+sheetGap)
	}
	sheet := image.NewRGBA(image.Rect(0, 0, sheetWidth, next))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{160}), image.Point{}, draw.Src)
	for i, page := range pages {
		size := page.picture.Bounds().Size()
		draw.Draw(sheet, image.Rectangle{places[i], places[i].Add(image.Pt(size.X, captionHeight))}, captions, image.Pt(0, i*captionHeight), draw.Src)
		below := places[i].Add(image.Pt(0, captionHeight))
		draw.Draw(sheet, image.Rectangle{below, below.Add(size)}, page.picture, image.Point{}, draw.Src)
	}
	return sheet
}

// shrink returns the picture at that width, if it is wider. Each pixel is the average of
// those in its place.
func shrink(picture image.Image, width int) *image.RGBA {
	from := picture.Bounds()
	width = min(width, from.Dx())
	height := from.Dy() * width / from.Dx()
	source := image.NewRGBA(image.Rect(0, 0, from.Dx(), from.Dy()))
	draw.Draw(source, source.Bounds(), picture, from.Min, draw.Src)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			small.SetRGBA(x, y, average(source, image.Rect(x*from.Dx()/width, y*from.Dy()/height, (x+1)*from.Dx()/width, (y+1)*from.Dy()/height)))
		}
	}
	return small
}

// average returns the average color of a part of a picture.
func average(picture *image.RGBA, part image.Rectangle) color.RGBA {
	var r, g, b int
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			c := picture.RGBAAt(x, y)
			r, g, b = r+int(c.R), g+int(c.G), b+int(c.B)
		}
	}
	n := part.Dx() * part.Dy()
	return color.RGBA{uint8(r / n), uint8(g / n), uint8(b / n), 255}
}

// decodePicture decodes a PNG.
func decodePicture(t *testing.T, shot []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}
