package chat

import (
	"strings"

	"github.com/scangate/scangate/wechat"
)

// Texts returns the text of a key in one language.
type Texts func(key string) string

// Speaker composes replies in one language. Texts and values may come from the
// application and from requests: none of them can become markup.
type Speaker struct {
	App   string // the application's name
	Texts Texts
}

// Origin describes the initiating browser. Each field may be empty.
type Origin struct{ Browser, System, Address, Place string }

// text returns the text of a key, with values in the place of its placeholders.
func (s Speaker) text(key string, places ...string) wechat.Text {
	replace := append([]string{"{app}", s.App}, places...)
	// One pass: a value that looks like a placeholder is not one.
	return wechat.PlainText(strings.NewReplacer(replace...).Replace(s.Texts(key)))
}

// lines joins texts that are not empty.
func lines(texts ...wechat.Text) wechat.Text {
	var all wechat.Text
	for _, text := range texts {
		if text != "" && all != "" {
			all += "\n"
		}
		all += text
	}
	return all
}

// Line returns the text of a key.
func (s Speaker) Line(key string) wechat.Text { return s.text(key) }

// about returns the lines that describe the initiating browser.
func (s Speaker) about(from Origin) wechat.Text {
	device := from.Browser
	if from.Browser != "" && from.System != "" {
		device += " · "
	}
	device += from.System
	if device == "" {
		device = s.Texts("chat.device")
	}
	about := s.text("chat.question", "{device}", device)
	if from.Place != "" {
		about = lines(about, s.text("chat.place", "{place}", from.Place))
	}
	if from.Address != "" {
		about = lines(about, s.text("chat.address", "{address}", from.Address))
	}
	return about
}

// Ask returns the question whether to log that browser in. A person whose digits match the
// screen answers 1 or 0, and any other person with the number on the screen or 0. The
// question contains neither the number nor a link.
func (s Speaker) Ask(from Origin, typed bool) wechat.Text {
	if typed {
		return lines(s.about(from), s.text("chat.one"))
	}
	return lines(s.text("chat.ignore"), s.about(from), s.text("chat.number"))
}

// Lead returns the question with a link to the page where the login goes on, for a person
// who has more to do than to answer.
func (s Speaker) Lead(from Origin, typed bool, address string) wechat.Text {
	link := wechat.ChatLink(address, s.Texts("chat.open"))
	if typed {
		return lines(s.about(from), s.text("chat.page"), link)
	}
	return lines(s.text("chat.ignore"), s.about(from), s.text("chat.page"), link)
}
