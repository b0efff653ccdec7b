package pages

import (
	"regexp"
	"strings"
	"testing"
)

// checkContrast demands that text in the color can be read on the card.
func checkContrast(t *testing.T, what, color, card string) {
	t.Helper()
	a, err := parseColor(color)
	if err != nil {
		t.Fatalf("%s: %q: %v", what, color, err)
	}
	b, err := parseColor(card)
	if err != nil {
		t.Fatalf("%s: %q: %v", what, card, err)
	}
	if got := contrast(a, b); got < 4.5 {
		t.Errorf("%s: contrast of %s on %s = %.2f, want at least 4.5", what, color, card, got)
	}
}

func TestBuiltinAccentCanBeRead(t *testing.T) {
	value := regexp.MustCompile(`--(accent|card): ?(#[0-9a-f]+)`)
	builtin := value.FindAllStringSubmatch(source(t, "style.css"), -1)
	if len(builtin) != 4 || builtin[0][2] != "#fff" || builtin[2][2] != darkCard {
		t.Fatalf("the style's cards and accents are %v, want the cards %s and %s", builtin, lightCard, darkCard)
	}
	checkContrast(t, "light", builtin[1][2], lightCard)
	checkContrast(t, "dark", builtin[3][2], darkCard)
}

func TestAccentCanBeRead(t *testing.T) {
	for _, accent := range []string{"#000000", "#ffffff", "#1677ff", "#ffeb3b", "#07c160", "#FF0000", "#808080", "#0000ff", "#191c1f"} {
		shades := regexp.MustCompile(`--accent:(#[0-9a-f]{6})}`).FindAllStringSubmatch(accentRules(accent), -1)
		if len(shades) != 2 {
			t.Fatalf("rules for %s = %s, want two accents", accent, accentRules(accent))
		}
		checkContrast(t, accent, shades[0][1], lightCard)
		checkContrast(t, accent, shades[1][1], darkCard)
	}
	if got, want := accentRules("#07863f"), ":root{--accent:#07863f}"; !strings.HasPrefix(got, want) {
		t.Errorf("rules for a color that can be read = %s, want %s first", got, want)
	}
}

func TestCheckColor(t *testing.T) {
	for _, good := range []string{"#000000", "#07c160", "#07C160"} {
		if err := CheckColor(good); err != nil {
			t.Errorf("CheckColor(%q): %v, want no error", good, err)
		}
	}
	for _, bad := range []string{"", "#", "green", "07c160", "#07c", "#07c1600", "#07c16g", "#07c160}", "#07c160\n"} {
		if CheckColor(bad) == nil {
			t.Errorf("CheckColor(%q): no error, want one", bad)
		}
	}
}
