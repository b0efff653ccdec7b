package otel

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/scangate/scangate"
	"github.com/scangate/scangate/wechat"
	"github.com/scangate/scangate/wechattest"
)

// logIn logs lin in at an application that is traced, and returns the spans.
func logIn(t *testing.T) tracetest.SpanStubs {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	account := wechat.Account{AppID: "wx0000000000000001", Secret: "51a1a7ed51a1a7ed51a1a7ed51a1a7ed"}
	weChat := wechattest.NewServer(t, wechattest.App{Account: account})
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	config := scangate.Config{
		PublicURL: "http://" + server.Listener.Addr().String(), OfficialAccount: account, WeChat: scangate.WeChat{Endpoint: weChat.Endpoint()}, Logger: slog.New(slog.DiscardHandler),
	}
	Configure(&config, provider)
	gate, err := scangate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gate.Close() })
	mux := http.NewServeMux()
	mux.Handle("/wechat/", gate)
	mux.Handle("/account", gate.RequireWeChat(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	server.Config.Handler = Handler(provider, mux)
	server.Start()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	weChat.LogIn(t, &http.Client{Jar: jar}, server.URL+"/account", "lin")
	server.Close() // all spans have ended
	return spans.GetSpans()
}

func TestTraceOfALogin(t *testing.T) {
	spans := logIn(t)
	events := make(map[string]trace.TraceID)
	var calls []tracetest.SpanStub
	for _, span := range spans {
		for _, event := range span.Events {
			events[event.Name] = span.SpanContext.TraceID()
		}
		if span.SpanKind == trace.SpanKindClient {
			calls = append(calls, span)
		}
	}
	for _, want := range []string{"scangate.started", "scangate.identified", "scangate.finished"} {
		if _, ok := events[want]; !ok {
			t.Errorf("events of spans = %v, want %s among them", events, want)
		}
	}
	if len(calls) == 0 || calls[0].SpanContext.TraceID() != events["scangate.identified"] || !calls[0].Parent.IsValid() {
		t.Fatalf("calls to WeChat = %v, want one below the request that identified the person", calls)
	}
	// The AppSecret and the code are in the query of the call.
	if text := fmt.Sprint(spans); strings.Contains(text, "51a1a7ed") || strings.Contains(text, "code=") || strings.Contains(text, "secret=") {
		t.Errorf("spans: got %s\nwant them without the AppSecret and the code", text)
	}
}
