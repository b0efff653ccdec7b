package main

import (
	"regexp"
	"slices"
	"strings"
)

// maxWords is how long a sentence may be.
const maxWords = 40

// pattern is a way to write that is hard to read.
type pattern struct {
	letter string
	name   string
	count  func(sentence) int
}

var patterns = [...]pattern{
	{"a", "free relative", each(freeRelative)},
	{"b", "vague actor", each(vagueActor)},
	{"c", "speaking program", each(speakingProgram)},
	{"d", "for as because", each(forAsBecause)},
	{"e", "else as otherwise", each(elseAsOtherwise)},
	{"f", "is no", each(isNo)},
	{"g", "long sentence", longSentence},
	{"h", "message form", messageForm},
}

// each returns a function that counts the words at which match holds.
func each(match func(sentence, int) bool) func(sentence) int {
	return func(s sentence) int {
		n := 0
		for i := range s.words {
			if match(s, i) {
				n++
			}
		}
		return n
	}
}

var (
	relatives = []string{"who", "whoever", "what", "whatever"}

	// notVerbs are words after which a clause has another subject than the relative.
	notVerbs = []string{
		"the", "a", "an", "it", "its", "they", "their", "we", "you", "i", "he", "she", "this",
		"that", "these", "those", "to", "people", "somebody", "nobody", "programs", "fields",
		"user", "users", "users'", "every", "all", "no", "new", "there", "else", "in", "of",
		"kind", "if", "about", "another", "any", "each", "some", "one", "other", "browser",
		"either", "both",
	}

	// auxiliaries are verbs that no ending gives away.
	auxiliaries = []string{
		"is", "isn't", "are", "aren't", "was", "wasn't", "were", "has", "hasn't", "have", "had",
		"can", "can't", "cannot", "could", "may", "might", "must", "will", "would", "should",
		"does", "doesn't", "do", "did", "went", "came", "comes", "said", "saw", "sent", "took",
		"became", "goes",
	}

	// inflected matches verbs in the third person and in the past.
	inflected = regexp.MustCompile(`^[a-z]{3,}(s|ed)$`)

	// beforeFree are words that can stand before a free relative, and are not nouns that
	// it refers to. Those and one are among them: they add no meaning.
	beforeFree = []string{
		"of", "for", "by", "on", "about", "with", "to", "from", "than", "as", "is", "are", "was",
		"be", "if", "say", "says", "said", "mean", "means", "return", "returns", "tell", "tells",
		"told", "wake", "wakes", "find", "finds", "choose", "chooses", "note", "notes", "decide",
		"decides", "know", "knows", "check", "checks", "report", "reports", "those", "one", "all",
	}

	vagueActors = []string{"people", "somebody", "nobody", "everybody", "anybody"}

	speaking = []string{"tell", "tells", "told", "say", "says", "said", "know", "knows"}

	// persons are subjects that can speak.
	persons = []string{
		"people", "person", "user", "users", "somebody", "nobody", "everybody", "anybody",
		"anyone", "someone", "who", "they", "he", "she", "we", "you", "i", "reader", "readers",
		"attacker", "operator", "developer", "developers", "owner",
	}

	// between are words that can stand between a subject and its verb.
	between = []string{
		"can", "can't", "cannot", "may", "might", "must", "will", "would", "could", "should",
		"has", "have", "had", "did", "didn't", "do", "does", "doesn't", "don't", "not", "never",
		"only", "first", "once", "also",
	}

	// pronouns begin a reason after ", for". Behind other words a verb has to follow.
	pronouns = []string{
		"it", "they", "he", "she", "we", "you", "there", "only", "nobody", "somebody",
		"everybody",
	}

	copulas = []string{"is", "are", "was", "were"}

	// adverbials follow a "no" that negates no noun.
	adverbials = []string{"", "longer", "more", "less", "one", "matter"}

	// links are words between a noun and what belongs to it, not to the clause.
	links = []string{"that", "which", "who", "whose", "to", "and", "or"}
)

// freeRelative reports whether the word i is a relative without a noun, and the
// subject of a clause or of the sentence.
func freeRelative(s sentence, i int) bool {
	w := s.at(i)
	if !slices.Contains(relatives, w) || strings.HasSuffix(s.text, "?") {
		return false
	}
	who := strings.HasPrefix(w, "who")
	if i == 0 || s.after(i, ";:(") || s.after(i, ",") && w != "who" {
		return true
	}
	prev := s.at(i - 1)
	if prev == "and" || prev == "or" {
		return true
	}
	next := s.at(i + 1)
	if next == "" || slices.Contains(notVerbs, next) {
		return false
	}
	if who {
		return slices.Contains(beforeFree, prev) && !s.after(i, ",")
	}
	return slices.Contains(auxiliaries, next) || inflected.MatchString(next)
}

// vagueActor reports whether the word i is an actor without a name. Identifiers such as
// http.NoBody do not count.
func vagueActor(s sentence, i int) bool {
	return slices.Contains(vagueActors, s.at(i)) && !s.words[i].name
}

// speakingProgram reports whether the word i is a verb of speech or knowledge whose
// subject does not look like a person.
func speakingProgram(s sentence, i int) bool {
	if !slices.Contains(speaking, s.at(i)) || s.words[i].name {
		return false
	}
	for next := i + 1; next < i+5; next++ {
		if s.at(next) == "apart" {
			return false
		}
	}
	subject := i - 1
	for subject >= 0 && slices.Contains(between, s.at(subject)) {
		subject--
	}
	return !slices.Contains(persons, s.at(subject))
}

// forAsBecause reports whether the word i is "for" before a reason, which is a clause
// with a verb: "for it wraps", "for the person may", but not "for the browser".
func forAsBecause(s sentence, i int) bool {
	if s.at(i) != "for" || !s.after(i, ",;:") {
		return false
	}
	if slices.Contains(pronouns, s.at(i+1)) {
		return true
	}
	for next := i + 2; next < min(i+6, len(s.words)); next++ {
		if slices.Contains(links, s.at(next)) || s.after(next, ",;:(") {
			return false
		}
		if slices.Contains(auxiliaries, s.at(next)) {
			return true
		}
	}
	return false
}

// elseAsOtherwise reports whether the word i is "else" at the start of a clause.
func elseAsOtherwise(s sentence, i int) bool {
	return s.at(i) == "else" && (i == 0 || s.after(i, ",;:"))
}

// isNo reports whether the word i negates the noun of a predicate.
func isNo(s sentence, i int) bool {
	return s.at(i) == "no" && slices.Contains(copulas, s.at(i-1)) && s.at(i-2) != "there" &&
		!slices.Contains(adverbials, s.at(i+1))
}

// longSentence returns 1 for a sentence of more than maxWords words.
func longSentence(s sentence) int {
	if len(s.words) > maxWords {
		return 1
	}
	return 0
}

// messageForm counts the faults in the form of a message.
func messageForm(s sentence) int {
	n := 0
	if s.kind == message && strings.Count(s.text, "scangate: ") > 1 {
		n++
	}
	if s.kind == message && strings.Contains(s.text, "\n") {
		n++
	}
	return n
}
