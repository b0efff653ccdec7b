package pages

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

const scanURL = "https://app.example.com/wechat/scan/ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// TestQRCodeSVG draws the path again and compares it with the code.
func TestQRCodeSVG(t *testing.T) {
	code, err := new(QRCodes).Encode(scanURL)
	if err != nil {
		t.Fatal(err)
	}
	size := code.code.Size + 2*quietZone
	drawn := image.NewGray(image.Rect(0, 0, size, size))
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1H(\d+)z`).FindAllStringSubmatch(string(code.SVG()), -1) {
		x, _ := strconv.Atoi(m[1]) // digits, as the expression demands
		y, _ := strconv.Atoi(m[2])
		width, _ := strconv.Atoi(m[3])
		if m[4] != m[1] {
			t.Fatalf("the run %v does not close", m)
		}
		for i := range width {
			drawn.SetGray(x+i, y, color.Gray{1})
		}
	}
	for y := range size {
		for x := range size {
			if inMark(code, x-quietZone, y-quietZone) {
				continue
			}
			if black := drawn.GrayAt(x, y).Y == 1; black != code.code.Black(x-quietZone, y-quietZone) {
				t.Fatalf("module %d, %d: black = %t, want %t", x, y, black, !black)
			}
		}
	}
}

func TestQRCodePNG(t *testing.T) {
	code, err := new(QRCodes).Encode(scanURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(code.PNG())); err != nil {
		t.Errorf("decoding the PNG: %v, want no error", err)
	}
}

// TestEncodeIsThatOfQR compares the codes with those of package qr, which keeps no plan.
func TestEncodeIsThatOfQR(t *testing.T) {
	codes := new(QRCodes)
	for n := range 2400 {
		for _, text := range []string{strings.Repeat("x", n), strings.Repeat("A1", n/2), strings.Repeat("7", n)} {
			if n > 300 && n%97 != 0 {
				continue
			}
			got, err := codes.Encode(text)
			want, wantErr := qr.Encode(text, qr.M)
			if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got.code, want) {
				t.Fatalf("Encode of %d bytes like %.4q: error = %v, want the code of qr.Encode and the error %v", len(text), text, err, wantErr)
			}
		}
	}
}

func TestEncodeRefusesALongText(t *testing.T) {
	if _, err := new(QRCodes).Encode(strings.Repeat("x", 10_000)); err == nil {
		t.Error("QR code of 10,000 bytes: no error, want one")
	}
}

// inMark reports whether the mark covers the module.
func inMark(q QRCode, x, y int) bool {
	first := (q.code.Size - q.markSize()) / 2
	last := first + q.markSize() - 1
	return x >= first && x <= last && y >= first && y <= last
}

func TestMarkIsSmallAndCentered(t *testing.T) {
	for n := 1; n < 300; n += 7 {
		q, err := new(QRCodes).Encode(strings.Repeat("x", n))
		if err != nil {
			t.Fatal(err)
		}
		size, mark := q.code.Size, q.markSize()
		if mark%2 != size%2 || mark < 3 || mark*100 > size*16 {
			t.Errorf("the mark in a code of %d modules takes %d, want an odd number from 3 to 16 %%", size, mark)
		}
	}
	q, err := new(QRCodes).Encode(scanURL)
	if err != nil {
		t.Fatal(err)
	}
	svg := string(q.SVG())
	if n := strings.Count(svg, mark); n != 1 || len(svg) > 6000 {
		t.Errorf("the SVG has %d bytes and %d marks, want at most 6,000 and one:\n%s", len(svg), n, svg)
	}
	black := 0
	for y := range q.code.Size {
		for x := range q.code.Size {
			if inMark(q, x, y) && q.black(x, y) {
				black++
			}
		}
	}
	if black > 0 {
		t.Errorf("%d modules below the mark are black, want none", black)
	}
}

// raster draws the code at a width in pixels, with gray edges as a browser does. It draws the
// mark as a disc of the given gray in a white square, or as a square without a margin.
func raster(q QRCode, width int, mark uint8, square bool) image.Image {
	const sub = 4 // samples per pixel, in each direction
	img := image.NewGray(image.Rect(0, 0, width, width))
	total := q.code.Size + 2*quietZone
	center, radius := float64(total)/2, float64(q.markSize())/2
	value := func(x, y float64) int {
		dx, dy := x-center, y-center
		inside := dx*dx+dy*dy < radius*radius || square && max(dx, -dx) < radius && max(dy, -dy) < radius
		switch {
		case inside:
			return int(mark)
		case q.black(int(x)-quietZone, int(y)-quietZone):
			return 0
		}
		return 255
	}
	step := float64(total) / float64(width*sub)
	for py := range width {
		for px := range width {
			sum := 0
			for s := range sub * sub {
				sum += value((float64(px*sub+s%sub)+0.5)*step, (float64(py*sub+s/sub)+0.5)*step)
			}
			img.SetGray(px, py, color.Gray{uint8(sum / (sub * sub))})
		}
	}
	return img
}

// TestMarkedCodeIsRead reads codes of several versions and sizes with zbarimg. The mark is
// dark or light: a reader may take it for either.
func TestMarkedCodeIsRead(t *testing.T) {
	if _, err := exec.LookPath("zbarimg"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("SCANGATE_REQUIRE"), ","), "zbar") {
			t.Fatal("zbarimg is not installed, and SCANGATE_REQUIRE names zbar")
		}
		t.Skip("zbarimg is not installed")
	}
	dir := t.TempDir()
	for _, host := range []string{"a.cn", "app.example.com", "login.a-longer-name.example.com", "login.a-very-long-name-of-a-host.a-long-domain.example.com"} {
		text := "https://" + host + "/wechat/scan/ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		q, err := new(QRCodes).Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{544, 272, 163, 109} { // 2x, 1x, 60 % and 40 %
			for name, img := range map[string]image.Image{
				"disc": raster(q, width, 150, false), "black": raster(q, width, 0, true), "white": raster(q, width, 255, true),
			} {
				var encoded bytes.Buffer
				if err := png.Encode(&encoded, img); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", host, width, name))
				if err := os.WriteFile(file, encoded.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.CommandContext(t.Context(), "zbarimg", "-q", "--raw", file).Output()
				if got := strings.TrimSpace(string(out)); err != nil || got != text {
					t.Errorf("zbarimg of %q, %d px wide, with a %s mark: %q, %v, want the text", text, width, name, got, err)
				}
			}
		}
	}
}

func BenchmarkSVG(b *testing.B) {
	b.ReportAllocs()
	codes := new(QRCodes)
	for b.Loop() {
		q, err := codes.Encode(scanURL)
		if err != nil {
			b.Fatal(err)
		}
		q.SVG()
	}
}
