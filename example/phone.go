package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nyaruka/phonenumbers"
)

// sendCode stands in for a provider of text messages: it writes the code into the
// log. A real one is called with ctx, and its error is returned without the number
// in it.
func sendCode(ctx context.Context, phone, code string) error {
	slog.WarnContext(ctx, "TEXT MESSAGE, which this example only logs", "to", phone, "code", code)
	return nil
}

// normalizePhone takes the numbers of all countries, in what spelling people there
// write them; one without a country's code is China's. The gate's own takes
// mainland mobile numbers, and of others any that begins with a plus.
func normalizePhone(typed string) (string, error) {
	number, err := phonenumbers.Parse(typed, "CN")
	if err != nil || !phonenumbers.IsValidNumber(number) || number.GetExtension() != "" {
		return "", errors.New("no phone number")
	}
	switch phonenumbers.GetNumberType(number) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return phonenumbers.Format(number, phonenumbers.E164), nil
	}
	return "", errors.New("no text message gets there")
}
