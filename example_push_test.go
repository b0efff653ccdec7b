package scangate_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
)

// An account without a Secret, such as that of a private person, receives digits. Beside
// them, the login page shows the account's own QR code.
func ExampleConfig_push() {
	gate, err := scangate.New(scangate.Config{ // the login page shows eight digits to send
		PublicURL:       "https://app.example.com",
		OfficialAccount: wechat.Account{AppID: "wx0123456789abcdef"}, // without a Secret
		Scan:            scangate.ScanMessage,
		Push: scangate.Push{
			Token:          pushToken, // from the environment
			EncodingAESKey: pushKey,   // likewise
			AccountQR:      "http://weixin.qq.com/r/abcdefghijklmno",
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = gate.Close() }()
	// Output:
}

// An application that serves the push URL of its official account itself passes each message
// to the gate first.
func ExampleGate_HandlePush() {
	gate, err := scangate.New(scangate.Config{
		PublicURL:       "https://app.example.com",
		OfficialAccount: account,
		Scan:            scangate.ScanFollow,
		Push: scangate.Push{
			Token:          "0123456789abcdef",                            // from the environment
			EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", // likewise
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = gate.Close() }()
	push := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wechat.MaxMessage))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		reply, err := gate.HandlePush(r.Context(), r.URL.Query(), body)
		switch {
		case err == nil:
			_, _ = w.Write(reply)
		case errors.Is(err, scangate.ErrNotLogin):
			_, _ = io.WriteString(w, wechat.Success) // the application's own messages are handled here
		case errors.Is(err, wechat.ErrUnverified):
			http.Error(w, "not from WeChat", http.StatusForbidden)
		case errors.Is(err, wechat.ErrMessage):
			http.Error(w, "malformed", http.StatusBadRequest)
		default:
			panic(http.ErrAbortHandler) // WeChat repeats the message
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /wechat-messages", push)

	// A message that WeChat has not signed.
	forged := `<xml><ToUserName>gh_1</ToUserName><Encrypt>` + strings.Repeat("AAAA", 32) + `</Encrypt></xml>`
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/wechat-messages?timestamp=1414243737&nonce=1792106704&msg_signature=00", strings.NewReader(forged)))
	fmt.Println(w.Code)
	// Output: 403
}
