package scangate

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/scangate/scangate/wechat"
)

// ScanMode is what the QR code on the login page leads to.
type ScanMode string

const (
	// ScanWeb shows the gate's own code. The phone opens it in WeChat, and WeChat's web
	// authorization proves the identity. It requires the Secret of the official account.
	ScanWeb ScanMode = "web"
	// ScanFollow shows a code of the official account. The person scans it, follows the
	// account if they do not yet, and answers in the chat. It requires Push and the Secret
	// of a verified service account. It does not work with a test account, which has no
	// EncodingAESKey for Push.
	ScanFollow ScanMode = "follow"
	// ScanMessage shows the account's plain code and eight digits, which the person sends
	// to the account. It requires Push with AccountQR, and works with any account that
	// receives messages.
	ScanMessage ScanMode = "message"
)

// chat reports whether logins are authorized in the chat with the official account.
func (m ScanMode) chat() bool { return m == ScanFollow || m == ScanMessage }

// Push configures the messages and events that WeChat sends to the server of the official
// account ("服务器配置"). The push URL is PublicURL, BasePath and "/push", and the mode is
// the encrypted one ("安全模式"). It prints and logs without its secrets.
type Push struct {
	// Token signs the pushes: 16 to 32 letters and digits, random.
	Token string

	// EncodingAESKey encrypts the messages: 43 letters and digits.
	EncodingAESKey string

	// FormerEncodingAESKey is the key before the last change. Empty means none.
	FormerEncodingAESKey string

	// AccountQR is the text that the account's own QR code contains, of at most 512 bytes.
	// The gate draws it beside digits to send. ScanMessage requires it. If it is empty,
	// ScanFollow shows digits without a code when WeChat creates no code.
	AccountQR string

	// TokenSource returns the official account's access token, for an account whose tokens
	// come from a central service; see [wechat.Client.WithTokenSource]. The gate needs one
	// to create codes and to look up unionids. Nil means that the gate fetches its own.
	TokenSource func(context.Context) (wechat.AccountToken, error)

	// Handle receives every verified message, also those of logins. It receives each once;
	// only if the state store fails, it may receive one again. Its reply is sent, unless the
	// message belongs to a login. It has 4 seconds; after that, or after an error or a panic,
	// the gate answers without a reply. Nil means that other messages get no reply. An
	// application that serves the account's push URL itself calls [Gate.HandlePush].
	Handle func(context.Context, wechat.Message) (wechat.Reply, error)
}

// String implements [fmt.Stringer] without the secrets.
func (p Push) String() string { return "scangate.Push" }

// GoString implements [fmt.GoStringer] without the secrets.
func (p Push) GoString() string { return fmt.Sprintf("scangate.Push{AccountQR:%q}", p.AccountQR) }

// LogValue implements [slog.LogValuer] without the secrets.
func (p Push) LogValue() slog.Value { return slog.GroupValue(slog.String("account_qr", p.AccountQR)) }

// isZero reports whether no field is set.
func (p Push) isZero() bool {
	return p.Token == "" && p.EncodingAESKey == "" && p.FormerEncodingAESKey == "" && p.AccountQR == "" && p.TokenSource == nil && p.Handle == nil
}
