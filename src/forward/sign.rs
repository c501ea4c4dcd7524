//! Signing what goes out, by Standard Webhooks 1.0.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use super::Signing;

impl Signing {
    /// The value of `webhook-signature`; `None`: the secret is none, which would be `whsec_` and base64.
    pub(super) fn sign(&self, id: &str, second: i64, body: &[u8]) -> Option<String> {
        let secret = self.secret.expose_secret();
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("hmac takes keys of any length");
        mac.update(format!("{id}.{second}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_reference() {
        let signing = Signing { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into() };

        let made = signing.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(made.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(Signing { secret: "whsec_no base64".to_owned().into() }.sign("a", 1, b""), None);
    }
}
