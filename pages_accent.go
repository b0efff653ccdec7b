package scangate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
)

// rgb is red, green and blue, from 0 to 1 each.
type rgb [3]float64

// What an accent color stands on, or is written on with: the style's --card.
const (
	lightCard = "#ffffff"
	darkCard  = "#191c1f"
)

// minContrast is a little more than the 4.5 that WCAG 2 asks of text (success
// criterion 1.4.3), for rounding.
const minContrast = 4.6

// parseColor reads a color such as "#07c160", in which case makes no difference.
func parseColor(s string) (rgb, error) {
	digits, ok := strings.CutPrefix(s, "#")
	b, err := hex.DecodeString(digits)
	if err != nil || !ok || len(b) != 3 {
		return rgb{}, errors.New("no color like #07c160")
	}
	return rgb{float64(b[0]) / 255, float64(b[1]) / 255, float64(b[2]) / 255}, nil
}

// String is the color as parseColor reads it.
func (c rgb) String() string {
	part := func(x float64) int { return int(math.Round(x * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// luminance is WCAG's relative luminance, 0 for black and 1 for white.
func (c rgb) luminance() float64 {
	linear := func(x float64) float64 {
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is WCAG's contrast ratio, from 1 to 21, whichever comes first.
func contrast(a, b rgb) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// readable returns c mixed with as much of ink as it takes to be read on card.
func (c rgb) readable(card, ink rgb) rgb {
	for contrast(c, card) < minContrast {
		for i := range c {
			c[i] += (ink[i] - c[i]) * 0.03
		}
	}
	return c
}

// accentRules are what makes a checked color the style's accent. It is darkened
// for the light scheme, and lightened for the dark one, as far as need be.
func accentRules(s string) string {
	accent, _ := parseColor(s) // checkPages has done so before
	light, _ := parseColor(lightCard)
	dark, _ := parseColor(darkCard)
	return fmt.Sprintf(":root{--accent:%v}@media(prefers-color-scheme:dark){:root{--accent:%v}}",
		accent.readable(light, rgb{}), accent.readable(dark, rgb{1, 1, 1}))
}
