package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// decoders are the two constructors. They differ only in where texts are stored.
var decoders = map[string]func([]byte) Decoder{"NewDecoder": NewDecoder, "NewSharedDecoder": NewSharedDecoder}

// forEachDecoder runs test with each constructor.
func forEachDecoder(t *testing.T, test func(*testing.T, func([]byte) Decoder)) {
	for name, newDecoder := range decoders {
		t.Run(name, func(t *testing.T) { test(t, newDecoder) })
	}
}

// texts are a text of each kind. A length above 127 takes two bytes.
var texts = []string{"", "a", "\x00", "林小北", "\xff\xfe", strings.Repeat("a", 127), strings.Repeat("b", 128), strings.Repeat("c", 20_000)}

// checkRead demands that d has read all of its input without failing.
func checkRead(t *testing.T, d *Decoder) {
	t.Helper()
	if d.Failed || len(d.Rest) != 0 {
		t.Errorf("after the last field: Failed = %t with %d bytes left, want false and none", d.Failed, len(d.Rest))
	}
}

func TestTextsAreReadAsWritten(t *testing.T) {
	forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
		var b []byte
		for _, text := range texts {
			b = AppendText(b, text)
			b = AppendText(b, []byte(text))
		}
		d := newDecoder(b)
		for _, want := range texts {
			if got := d.Text(); got != want {
				t.Errorf("Text = %.20q of %d bytes, want %.20q of %d", got, len(got), want, len(want))
			}
			if got := d.Bytes(); string(got) != want {
				t.Errorf("Bytes = %.20q of %d bytes, want %.20q of %d", got, len(got), want, len(want))
			}
		}
		checkRead(t, &d)
	})
}

func TestAppendTextKeepsWhatIsThere(t *testing.T) {
	if got, want := AppendText([]byte("ab"), "cd"), []byte("ab\x02cd"); !bytes.Equal(got, want) {
		t.Errorf("AppendText to %q = %q, want %q", "ab", got, want)
	}
}

func TestIntegersAreReadAsWritten(t *testing.T) {
	forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
		signed := []int64{0, 1, -1, 63, -64, 64, -65, math.MaxInt64, math.MinInt64}
		unsigned := []uint64{0, 1, 127, 128, math.MaxUint64}
		var b []byte
		for _, v := range signed {
			b = binary.AppendVarint(b, v)
		}
		for _, v := range unsigned {
			b = binary.AppendUvarint(b, v)
		}
		d := newDecoder(b)
		for _, want := range signed {
			if got := d.Varint(); got != want {
				t.Errorf("Varint = %d, want %d", got, want)
			}
		}
		for _, want := range unsigned {
			if got := d.Uvarint(); got != want {
				t.Errorf("Uvarint = %d, want %d", got, want)
			}
		}
		checkRead(t, &d)
	})
}

// reads are the methods that read a field, by their names.
var reads = map[string]func(*Decoder){
	"Take":    func(d *Decoder) { d.Take(1) },
	"Varint":  func(d *Decoder) { d.Varint() },
	"Uvarint": func(d *Decoder) { d.Uvarint() },
	"Bytes":   func(d *Decoder) { d.Bytes() },
	"Text":    func(d *Decoder) { d.Text() },
}

func TestDamagedInputFails(t *testing.T) {
	overflow := slices.Repeat([]byte{0xff}, binary.MaxVarintLen64+1)
	huge := append(binary.AppendUvarint(nil, math.MaxUint64), "text"...)
	for _, c := range []struct {
		name  string
		input []byte
		reads []string
	}{
		{"no input", nil, []string{"Take", "Varint", "Uvarint", "Bytes", "Text"}},
		{"an integer without its end", []byte{0x80}, []string{"Varint", "Uvarint", "Bytes", "Text"}},
		{"an integer of more than 64 bits", overflow, []string{"Varint", "Uvarint", "Bytes", "Text"}},
		{"a length without its text", []byte{1}, []string{"Bytes", "Text"}},
		{"a text that is a byte short", []byte("\x05text"), []string{"Bytes", "Text"}},
		{"the largest length", huge, []string{"Bytes", "Text"}},
	} {
		forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
			for _, read := range c.reads {
				d := newDecoder(c.input)
				reads[read](&d)
				if !d.Failed {
					t.Errorf("%s of %s: Failed = false, want true", read, c.name)
				}
			}
		})
	}
}

// TestEachPrefixFails reads one field of each kind from each part of their stored form.
func TestEachPrefixFails(t *testing.T) {
	b := binary.AppendUvarint(binary.AppendVarint(AppendText(AppendText([]byte("take"), "text"), "bytes"), -300), 300)
	forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
		for n := range len(b) + 1 {
			d := newDecoder(b[:n])
			d.Take(4)
			d.Text()
			d.Bytes()
			d.Varint()
			d.Uvarint()
			if want := n < len(b); d.Failed != want {
				t.Errorf("the first %d of %d bytes: Failed = %t, want %t", n, len(b), d.Failed, want)
			}
		}
	})
}

func TestFailureStays(t *testing.T) {
	forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
		for name, read := range reads {
			d := newDecoder([]byte("\x01\x01\x01\x01"))
			if got := d.Take(5); got != nil || !d.Failed {
				t.Errorf("Take of 5 of 4 bytes: %q, Failed = %t, want nil and true", got, d.Failed)
			}
			if read(&d); !d.Failed {
				t.Errorf("%s after a failure: Failed = false, want true", name)
			}
			if got := d.Take(1); got != nil {
				t.Errorf("Take after a failure and %s: %q, want nil", name, got)
			}
		}
	})
}

// TestTextsAreCopies changes the input after texts have been read from it. The bytes
// change along, and the texts do not.
func TestTextsAreCopies(t *testing.T) {
	forEachDecoder(t, func(t *testing.T, newDecoder func([]byte) Decoder) {
		input := AppendText(AppendText([]byte("take"), "text"), "bytes")
		d := newDecoder(input)
		taken, text, part := d.Take(4), d.Text(), d.Bytes()
		for i := range input {
			input[i] = 'x'
		}
		if text != "text" {
			t.Errorf("Text after the input has changed: %q, want %q", text, "text")
		}
		if string(taken) != "xxxx" || string(part) != "xxxxx" {
			t.Errorf("Take and Bytes after the input has changed: %q and %q, want parts of the input", taken, part)
		}
	})
}

// TestSharedDecoderCopiesOnce looks at where texts are stored: those of NewSharedDecoder
// lie in one string, in the distance that they have in the input.
func TestSharedDecoderCopiesOnce(t *testing.T) {
	const distance = len("\x05first")
	d := NewSharedDecoder(AppendText(AppendText(nil, "first"), "second"))
	first, second := d.Text(), d.Text()
	if first != "first" || second != "second" {
		t.Errorf("Text, twice: %q and %q, want first and second", first, second)
	}
	at := uintptr(unsafe.Pointer(unsafe.StringData(first)))
	if got := uintptr(unsafe.Pointer(unsafe.StringData(second))) - at; got != uintptr(distance) {
		t.Errorf("the second text lies %d bytes after the first, want %d: one copy of the input", got, distance)
	}
}
