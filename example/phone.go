package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nyaruka/phonenumbers"
)

// sendCode writes a verification code to the log, in place of an SMS provider.
func sendCode(ctx context.Context, phone, code string) error {
	// A real implementation passes ctx to the provider's client, so that the
	// request ends in time. It returns the provider's error without the number:
	// the gate logs that error.
	slog.WarnContext(ctx, "text message (this example only logs it)", "to", phone, "code", code)
	return nil
}

// normalizePhone returns a mobile number in E.164 form. It accepts the numbers of
// all countries in their local spellings. A number without a country code belongs to
// mainland China. The gate's default accepts mainland mobile numbers, and those of the
// countries in Config.Phone.Countries.
func normalizePhone(typed string) (string, error) {
	// "CN" is the region of numbers without a country code.
	number, err := phonenumbers.Parse(typed, "CN")
	if err != nil || !phonenumbers.IsValidNumber(number) || number.GetExtension() != "" {
		// Neither err nor typed: the error must not contain the number.
		return "", errors.New("not a valid phone number")
	}
	if phonenumbers.GetRegionCodeForNumber(number) == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		// A message to a satellite network costs as much as a premium call.
		return "", errors.New("not a number of a country")
	}
	switch phonenumbers.GetNumberType(number) {
	// In countries such as the United States, a mobile number looks like any other.
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return phonenumbers.Format(number, phonenumbers.E164), nil
	}
	return "", errors.New("not a mobile number")
}
