// Package phonenumbers accepts mobile numbers of all countries in their local spellings, by
// the library nyaruka/phonenumbers.
package phonenumbers

import (
	"errors"

	"github.com/nyaruka/phonenumbers"
)

// Normalize returns a mobile number in E.164 form. It is a scangate.Config.Phone.Normalize. It accepts the numbers of
// all countries in their local spellings. A number without a country code belongs to
// mainland China. The gate's default accepts mainland mobile numbers, and those of the
// countries in Config.Phone.Countries.
func Normalize(typed string) (string, error) {
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
