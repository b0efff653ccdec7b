package pages

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

// rgb is a color: red, green and blue, from 0 to 1 each.
type rgb [3]float64

// The backgrounds of the accent color, and the colors of text on it, in the light and the
// dark scheme: --card in style.css.
const (
	lightCard = "#ffffff"
	darkCard  = "#191c1f"
)

// minContrast is the contrast of accents. WCAG 2 (success criterion 1.4.3) demands 4.5 for
// text; the difference is for rounding to 8 bits.
const minContrast = 4.6

// CheckColor returns an error unless s is a color like "#07c160", in any case.
func CheckColor(s string) error {
	_, err := parseColor(s)
	return err
}

func parseColor(s string) (rgb, error) {
	digits, ok := strings.CutPrefix(s, "#")
	b, err := hex.DecodeString(digits)
	if err != nil || !ok || len(b) != 3 {
		return rgb{}, errors.New("not a color like #07c160")
	}
	return rgb{float64(b[0]) / 255, float64(b[1]) / 255, float64(b[2]) / 255}, nil
}

// String returns the color as parseColor reads it.
func (c rgb) String() string {
	part := func(x float64) int { return int(math.Round(x * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// luminance returns the relative luminance that WCAG 2 defines: 0 for black, 1 for white.
func (c rgb) luminance() float64 {
	linear := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast returns the contrast ratio that WCAG 2 defines, from 1 to 21. The order of the
// colors makes no difference.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// readable returns c mixed with as little ink as makes it readable on the card.
func (c rgb) readable(card, ink rgb) rgb {
	for contrast(c, card) < minContrast {
		for i := range c {
			c[i] += (ink[i] - c[i]) * 0.03
		}
	}
	return c
}

// accentRules returns the CSS that makes a checked color the accent. It darkens the color
// for the light scheme, and lightens it for the dark scheme, as far as text needs it.
func accentRules(s string) string {
	accent, _ := parseColor(s)        // CheckColor has accepted it
	light, _ := parseColor(lightCard) // constants
	dark, _ := parseColor(darkCard)
	return fmt.Sprintf(":root{--accent:%v}@media(prefers-color-scheme:dark){:root{--accent:%v}}",
		accent.readable(light, rgb{}), accent.readable(dark, rgb{1, 1, 1}))
}
