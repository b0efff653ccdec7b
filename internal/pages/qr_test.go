package pages

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const scanURL = "https://app.example.com/wechat/scan/ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// TestQRCodeSVG draws the path again and compares it with the code.
func TestQRCodeSVG(t *testing.T) {
	code, err := NewQRCode(scanURL)
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
			if black := drawn.GrayAt(x, y).Y == 1; black != code.code.Black(x-quietZone, y-quietZone) {
				t.Fatalf("module %d, %d: black = %t, want %t", x, y, black, !black)
			}
		}
	}
}

func TestQRCodePNG(t *testing.T) {
	code, err := NewQRCode(scanURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(code.PNG())); err != nil {
		t.Errorf("decoding the PNG: %v, want no error", err)
	}
}

func TestNewQRCodeRefusesALongText(t *testing.T) {
	if _, err := NewQRCode(strings.Repeat("x", 10_000)); err == nil {
		t.Error("QR code of 10,000 bytes: no error, want one")
	}
}
