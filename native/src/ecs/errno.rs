//! Errors of the kernel by their names, as errno(3) has them.

use std::borrow::Cow;

macro_rules! names {
    ($($name:ident)+) => {
        #[cfg(target_os = "linux")]
        fn known(error: i32) -> Option<&'static str> {
            match error {
                $(libc::$name => Some(stringify!($name)),)+
                _ => None,
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG
    ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR
    EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC
    ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK
    ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP EPROTO EBADMSG
    EOVERFLOW ELIBBAD EILSEQ ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE
    ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS
    EISCONN ENOTCONN ESHUTDOWN ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH
    EALREADY EINPROGRESS ESTALE EUCLEAN EDQUOT ECANCELED ENOKEY
    EKEYEXPIRED EKEYREVOKED EKEYREJECTED
}

/// Events of elsewhere have no errors of this kernel.
#[cfg(not(target_os = "linux"))]
fn known(_error: i32) -> Option<&'static str> {
    None
}

/// The name of a positive error number; one without a name stays a number.
pub fn name(error: u16) -> Cow<'static, str> {
    known(error.into()).map_or_else(|| error.to_string().into(), Cow::Borrowed)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_or_numbers() {
        assert_eq!(name(13), "EACCES");
        assert_eq!(name(111), "ECONNREFUSED");
        assert_eq!(name(4095), "4095");
    }
}
