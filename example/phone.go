package main

import (
	"context"
	"log/slog"
)

// sendCode writes a verification code to the log, in place of an SMS provider.
func sendCode(ctx context.Context, phone, code string) error {
	// A real implementation passes ctx to the provider's client, so that the
	// request ends in time. It returns the provider's error without the number:
	// the gate logs that error.
	slog.WarnContext(ctx, "text message (this example only logs it)", "to", phone, "code", code)
	return nil
}
