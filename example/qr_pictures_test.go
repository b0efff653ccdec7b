package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// codePicture is a picture of the login page, with the link that its QR code contains.
type codePicture struct {
	name, link string
	page       *image.RGBA
}

// takeCodePictures takes pictures of the login page, with the first code, which is an image,
// and with a renewed one, which is a part of the page. It returns each at 100, 70 and 40
// percent of its size.
func takeCodePictures(t *testing.T) []codePicture {
	t.Helper()
	var all []codePicture
	v := newVisit(t, startChromium(t), "zh-CN", nil)
	v.login()
	v.wantTrue(`document.querySelector("a.qr img").naturalWidth > 0`)
	for _, code := range []string{"first", "renewed"} {
		if code == "renewed" {
			last := v.link()
			v.click(`#renew button`)
			v.wantNewLink(last)
			v.wantTrue(`document.querySelector("a.qr > svg:only-child") !== null`)
		}
		for _, scheme := range []string{"light", "dark"} {
			for _, scale := range []float64{1, 2} {
				v.setWindow(windows[0], scheme)
				v.do("setting the scale", chromedp.EmulateViewport(windows[0].width, windows[0].height, chromedp.EmulateScale(scale)))
				page := decodePicture(t, v.shot())
				for _, percent := range []int{100, 70, 40} {
					name := fmt.Sprintf("%s-%s-%vx-%d", code, scheme, scale, percent)
					all = append(all, codePicture{name, v.link(), shrink(page, page.Bounds().Dx()*percent/100)})
				}
			}
		}
	}
	return all
}

// TestQRCodesInPictures reads the codes in pictures of the login page with two decoders.
func TestQRCodesInPictures(t *testing.T) {
	pictures := takeCodePictures(t)
	for name, decode := range map[string]func(*testing.T, []codePicture) []string{"zbar": readByZbar, "jsqr": readByJSQR} {
		t.Run(name, func(t *testing.T) {
			for i, got := range decode(t, pictures) {
				if p := pictures[i]; got != p.link {
					t.Errorf("code in picture %s, %d pixels wide: %q, want %q", p.name, p.page.Bounds().Dx(), got, p.link)
				}
			}
		})
	}
}

// readByZbar returns the text of the code in each picture, as zbarimg reads it.
func readByZbar(t *testing.T, pictures []codePicture) []string {
	t.Helper()
	if _, err := exec.LookPath("zbarimg"); err != nil {
		skipWithout(t, "zbar", "zbarimg is not installed")
	}
	texts := make([]string, len(pictures))
	for i, p := range pictures {
		var b bytes.Buffer
		if err := png.Encode(&b, p.page); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), p.name+".png")
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.CommandContext(t.Context(), "zbarimg", "-q", "--raw", file).Output() // it fails if it finds no code
		texts[i] = strings.TrimSpace(string(out))
	}
	return texts
}

// jsqrScript prints the text of the code in each picture on a line. Its arguments are the
// path of jsQR.js, and the file, width and height of each picture.
const jsqrScript = `const [path, ...args] = process.argv.slice(1), jsQR = require(path);
	for (let i = 0; i < args.length; i += 3) {
		const found = jsQR(new Uint8ClampedArray(require("fs").readFileSync(args[i])), +args[i + 1], +args[i + 2]);
		console.log(found ? found.data : "");
	}`

// readByJSQR returns the text of the code in each picture, as jsQR reads it. SCANGATE_JSQR is
// the path of jsQR.js, of npm's package jsqr.
func readByJSQR(t *testing.T, pictures []codePicture) []string {
	t.Helper()
	script := os.Getenv("SCANGATE_JSQR")
	if script == "" {
		skipWithout(t, "jsqr", "SCANGATE_JSQR is not the path of jsQR.js")
	}
	if _, err := exec.LookPath("node"); err != nil {
		skipWithout(t, "jsqr", "node is not installed")
	}
	args := []string{"-e", jsqrScript, script}
	for _, p := range pictures {
		file := filepath.Join(t.TempDir(), p.name)
		if err := os.WriteFile(file, p.page.Pix, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file, strconv.Itoa(p.page.Bounds().Dx()), strconv.Itoa(p.page.Bounds().Dy()))
	}
	out, err := exec.CommandContext(t.Context(), "node", args...).Output()
	texts := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(texts) != len(pictures) {
		t.Fatalf("node: %v, %d lines, want %d", err, len(texts), len(pictures))
	}
	return texts
}
