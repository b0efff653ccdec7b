package scscodec_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scangate/scangate/scscodec"
)

// A session that scs's default codec stored is still there after the change of codec.
func ExampleCodec() {
	deadline := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	before, err := scs.GobCodec{}.Encode(deadline, map[string]any{"user": 7})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scs.New()
	sessions.Codec = scscodec.Codec{}
	_, values, err := sessions.Codec.Decode(before)
	fmt.Println(values["user"], err)
	// Output: 7 <nil>
}

// The types of the other values need not be registered with gob.
func ExampleCodec_Peek() {
	record, err := scscodec.Codec{}.Encode(time.Now(), map[string]any{"theme": "dark", "visits": 7})
	if err != nil {
		log.Fatal(err)
	}
	theme, ok := scscodec.Codec{}.Peek(record, "theme")
	fmt.Printf("%s %t\n", theme, ok)
	// Output: dark true
}

// By default, scs answers every request that brings a damaged session with 500. This
// application removes the browser's cookie, so the next request begins a session.
func ExampleErrDamaged() {
	sessions := scs.New()
	sessions.Codec = scscodec.Codec{}
	sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		if !errors.Is(err, scscodec.ErrDamaged) {
			http.Error(w, "The session store is unavailable.", http.StatusServiceUnavailable)
			return
		}
		sessions.WriteSessionCookie(r.Context(), w, "", time.Time{})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	_, _, err := sessions.Codec.Decode([]byte("\x00\x02a record of another version"))
	fmt.Println(err)
	// Output: scscodec: a damaged session: unknown format version
}
