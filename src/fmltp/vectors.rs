//! Two handshakes that a client and a server of the FlexMusic project had with each other, as they went over the wire.

/// One of them. Numbers are in hexadecimal.
pub(super) struct Recorded {
    pub(super) p: &'static str,
    /// The client's secret exponent.
    pub(super) secret: &'static str,
    /// What both have computed.
    pub(super) shared: &'static str,
    /// The Fernet key that followed from it.
    pub(super) key: &'static str,
    pub(super) greeting: &'static str,
    pub(super) parameters: &'static str,
    pub(super) client_key: &'static str,
    pub(super) server_key: &'static str,
    /// All that came after, in order: who sent it, the token, and what it says.
    pub(super) tokens: &'static [(Side, &'static str, &'static str)],
}

/// Who sent a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Recorded {
    /// All tokens of one side, and what they say.
    pub(super) fn tokens_of(&self, side: Side) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.tokens.iter().filter(move |(who, ..)| *who == side).map(|&(_, token, text)| (token, text))
    }
}

/// The number that `digits` are in hexadecimal, as bytes.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The server asks for a password, and gets a wrong one first.
pub(super) const WITH_USERS: Recorded = Recorded {
    p: "b3ca0925e96b88694e49645e961aeb7e2ade63330c7ee94245fe5218c98bfe1c8824053404094fbaec01587a49757ce1\
        b74f1f599c52b247e448c838177abe56d79a4699dd877906c42532e84b936035ec65071b01752dd6e2d24ddbbbd96253\
        98b2d78fbe9883d92778104adbaddc6ed3c048bcebd7adb296a11e9ef983a1b7",
    secret: "598f151abd8c44c14367832a413de5c836b93dfe5c47",
    shared: "9f6294b9dbe71a59b1c7bd334cdf5c372512c28fa283c345271c815f5aaf0161202d364bbac9a37e6089bfcf4f008e02\
             dfaa70bbe668a8855500d904c926b792939faba96630cfea4d48249fe260d29db031b14f6f9e9f2afff17322b03a5331\
             6edb875c86868874b150c76abefa49b68adec4c3571d19eb579807855a13cae0",
    key: "0b4818c7e2a759ed165cd5141ec146a721d9d42404e3ef1c3ebaf617a7a88d8e",
    greeting: "FlexMusic Pre-Alpha Development Server,0.0.0\r\n",
    parameters: "-----BEGIN DH PARAMETERS-----\n\
                 MIGLAoGBALPKCSXpa4hpTklkXpYa634q3mMzDH7pQkX+UhjJi/4ciCQFNAQJT7rs\n\
                 AVh6SXV84bdPH1mcUrJH5EjIOBd6vlbXmkaZ3Yd5BsQlMuhLk2A17GUHGwF1Ldbi\n\
                 0k3bu9liU5iy14++mIPZJ3gQStut3G7TwEi869etspahHp75g6G3AgECAgIArw==\n\
                 -----END DH PARAMETERS-----\n",
    client_key: "-----BEGIN PUBLIC KEY-----\n\
                 MIIBIzCBmQYJKoZIhvcNAQMBMIGLAoGBALPKCSXpa4hpTklkXpYa634q3mMzDH7p\n\
                 QkX+UhjJi/4ciCQFNAQJT7rsAVh6SXV84bdPH1mcUrJH5EjIOBd6vlbXmkaZ3Yd5\n\
                 BsQlMuhLk2A17GUHGwF1Ldbi0k3bu9liU5iy14++mIPZJ3gQStut3G7TwEi869et\n\
                 spahHp75g6G3AgECAgIArwOBhAACgYAXpT2vTd7E42ng+1UtA8LbAXWuoSk0u9Gs\n\
                 EbCFKk2JnIfOg+WQDKXDr4PuVRGzMpcyk/Dhaf16XXW3qCIvoaKxQ7nNGgwvfrEG\n\
                 QWXCDf2WlPf+CoYHL14hT/cbHx/WtdgxcVF5JUw/ouRe6ZGMQvcj1XvDV0MZiorT\n\
                 gmkj2tS0rA==\n\
                 -----END PUBLIC KEY-----\n",
    server_key: "-----BEGIN PUBLIC KEY-----\n\
                 MIIBJDCBmQYJKoZIhvcNAQMBMIGLAoGBALPKCSXpa4hpTklkXpYa634q3mMzDH7p\n\
                 QkX+UhjJi/4ciCQFNAQJT7rsAVh6SXV84bdPH1mcUrJH5EjIOBd6vlbXmkaZ3Yd5\n\
                 BsQlMuhLk2A17GUHGwF1Ldbi0k3bu9liU5iy14++mIPZJ3gQStut3G7TwEi869et\n\
                 spahHp75g6G3AgECAgIArwOBhQACgYEAoyQlRv5I5CA8Xos5UmOmQ8vgUQtD4Ooe\n\
                 Cy4k7QnqApUAkpyhsKKpqgpkdaofNIlfL8JeF4ucDbToc8RXwK/nr5S8wOG73ZOK\n\
                 /UnxApoQtYFBZVNwRAeeZewhaYnaD2y5jZJUF32FIn1dYTqgOrX9OFAqrVcpA9Oc\n\
                 X9ADCUCO8cU=\n\
                 -----END PUBLIC KEY-----\n",
    tokens: &[
        (
            Side::Client,
            "gAAAAABrAURbYhUmwKEeLSkB2qCzPl4iC4LcD2TxzJ1eM6DXWszmZYlItc1SvzvRg9JpgDoeZRytMOk8MvK9hjhRdaCn01VL\
             3LpbELcawizR-0JQc0uXW1q2cdSt6dCta7Hd4v2VM7dS",
            "FlexMusic Pre-Alpha Development Server,0.0.0",
        ),
        (
            Side::Server,
            "gAAAAABrAURbI_w_E70eJ4kUvWdfnNf04mlIG8hO75Wn8aY72ZRHzeYOrpoQ3uFtrpGlJSyiLOMzQpEqzptqtSjtSj153BB-\
             IA0URwjZOtQunJJXLbNmMMuXkbBcdQT3TFYO-RpA-yySJ4v4IJRQENEfXjOS5Y6cZg==",
            "100 FmLTP/1.0 Intepreter Ready.\r\n\
             Authentication required.\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAURbMN36zLZiCO1L9NvFTWsmZbyw_qgLcEB9icSYwjaGOtCgDitdKTDqEtFMPkbp-fACOoD1p6mTkyD6xkFa3bV8\
             L4Pz_yD-GRPyrwyPUAJxrU0=",
            "AUTH user wrongwrong\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAURbMqwTAs45YvyosqTGOXIEMU1FLaSCcWNenGwaxzJ6Z5vRQ-1bJBijrP7NhpDLbeA96JLSYRmo0aPxhmNxZPD2\
             iNevmUBnaCPVI5ot92cNYIs=",
            "151 Authentication failed.\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAURbFPXMbYslY_3ZWg7Ynsku7lb4phzuxFCUiez5mnRCmY9gd7xzmI-1wVD2f7B6hlbW3vBR4Pi5MNPqspfMvjN5\
             w7R_-4CTLpnFxK_ztKvXoyA=",
            "AUTH user 12345678\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAURcqwOasYSIEAGwVYIFjx1k-110gLBgXhjbwJqB336svIsQUbCNFAxou7ARPYjGYqGW5r1zgnnJP399cM_itTTW\
             XDfv3d6hA08tlqlx-CrOG2n6nU88jyYLjt6Lc9REVQoA",
            "150 Authentication successful.\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAURcJFVbo54hlpOzh3PM6XKXckSMPbM4_5ar0JLf0VUcuFApjEKzgSAhzUHVZsfHQZOIfdBqI3qeWxMYL4lMHtKa\
             XA==",
            "HELP\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAURcftryux1rC3lXIhtZHhKJd7gmMt-so4cvQOqVhvSrkj9i-k1hA0yTcJ_cTJ2-8VsQU6MMzYaA_2EEwP8jM41u\
             GEap4WnFm89UBf176iuK7GZuEz8Vm9BdvbP5xffEfFxIhHDsuJrB9vDvEC1RfvJxv5n3V_TH1TtXay4vPN1vhFRx9GOHdH1l\
             MoxX8lAwrC_3_QNe23VkkQ4KsLIH79qSL0tIcESQ61-s_7lgtGS8JCVbKAPVLDjAZTabWLVw4fRSyH3PdOBHota-Ekkp6OIx\
             o4aVp7hQqC_dy_EX5-erZ3mudZoAYJzDDHgtmbiyYZZlcaq_unK3CdpbnLYac84s9TC1d6U9MpQsoZvuqTyt1g4ByrVQRoAe\
             V7w41lbGIjQR_aQY_CaK8B7Xn5UNcV1zs6PEXm8vOnUo8XRdZRNyNTFc8_2pJKPVmFYUx_JYWkGr",
            "200 Available commands:\r\n\
             SEARCH - Run a search operation on the selected backend\r\n\
             SELECT - Select an operative backend mode\r\n\
             DESELECT - Deselect the current operative backend\r\n\
             HELP - Displays help\r\n\
             QUIT - Closes connection to server\r\n\
             Run HELP <command> for more information.\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAURcO2STjFpD1pBA731tbivlnwoFni2PViPLY4hoh_-RekgETrjHPTt1T8VPTc9MHR2hivPYSQDoxQi7qpVPKB0J\
             Og==",
            "QUIT\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAURc7ONuZK9pTRoXHe1oVqwv-zFKLJJQreQdI4OXjaXKw9mSJs-e5o0DqdjCvcZWsHUbcS2kB9rwlSvPcaPvXtwH\
             TA==",
            "200 Goodbye.\r\n",
        ),
    ],
};

/// The server asks for nothing.
pub(super) const WITHOUT_USERS: Recorded = Recorded {
    p: "f1ceeb58f203c43585da8f8b871f2b2cf87ffdaa9e2457b41dd82fae4257a1cf1a6ac11d7af286e847aeb88605ce86b2\
        149f6da923b33c9d71e4594e48d27412d1592b665607b2288af9b1950c4cb3df77fbd078987f9123fef3175ea49bf750\
        53bea1651defb55fe3b6be670542f20e3c440444ae584480401ffa04a3a74a57",
    secret: "4e52a16dc0bd9a2a32e67b289295064d4aa4d54c17ea",
    shared: "1e9c2b035141210c789042e9d956d55452fa5e298bb2075a42f77acb7c16a78609be76f9e07f21bc6aee0150df6edbb8\
             7eceb7f2ffa83c93b2afaff319d541c617723fb0f0447a7b55c84abb6203c7a5fa58a39960013134d39ffca02ec4eaea\
             863d9e16731b5b206a286e59bde7610894459651084672cac4de0ead5843f7f9",
    key: "3a5aa35481fc8913fd47000c9d91df59ac645776cc68ff7d662db2bab5696aba",
    greeting: "FlexMusic Pre-Alpha Development Server,0.0.0\r\n",
    parameters: "-----BEGIN DH PARAMETERS-----\n\
                 MIGLAoGBAPHO61jyA8Q1hdqPi4cfKyz4f/2qniRXtB3YL65CV6HPGmrBHXryhuhH\n\
                 rriGBc6GshSfbakjszydceRZTkjSdBLRWStmVgeyKIr5sZUMTLPfd/vQeJh/kSP+\n\
                 8xdepJv3UFO+oWUd77Vf47a+ZwVC8g48RARErlhEgEAf+gSjp0pXAgECAgIArw==\n\
                 -----END DH PARAMETERS-----\n",
    client_key: "-----BEGIN PUBLIC KEY-----\n\
                 MIIBIzCBmQYJKoZIhvcNAQMBMIGLAoGBAPHO61jyA8Q1hdqPi4cfKyz4f/2qniRX\n\
                 tB3YL65CV6HPGmrBHXryhuhHrriGBc6GshSfbakjszydceRZTkjSdBLRWStmVgey\n\
                 KIr5sZUMTLPfd/vQeJh/kSP+8xdepJv3UFO+oWUd77Vf47a+ZwVC8g48RARErlhE\n\
                 gEAf+gSjp0pXAgECAgIArwOBhAACgYAfsqSuqvGo3ll/zSoW4HmtSSdn2PQzXj5U\n\
                 Z9+cM2w6a/VrneiM+6XlCnaGXFrWbvJzvytEsQsws4XeJ1FrOKNbJCOcqmaMnGiQ\n\
                 YK7VsvvCzA+kBpUfqQR/lB2Ctf7Sbg56r06/2xWi0iEec30EQw3ALueOWnjlEQcB\n\
                 ftY3AZTZcw==\n\
                 -----END PUBLIC KEY-----\n",
    server_key: "-----BEGIN PUBLIC KEY-----\n\
                 MIIBIzCBmQYJKoZIhvcNAQMBMIGLAoGBAPHO61jyA8Q1hdqPi4cfKyz4f/2qniRX\n\
                 tB3YL65CV6HPGmrBHXryhuhHrriGBc6GshSfbakjszydceRZTkjSdBLRWStmVgey\n\
                 KIr5sZUMTLPfd/vQeJh/kSP+8xdepJv3UFO+oWUd77Vf47a+ZwVC8g48RARErlhE\n\
                 gEAf+gSjp0pXAgECAgIArwOBhAACgYBuPvvBc0EXSyaDSsB+bdKsFCkZw0Oc6w+e\n\
                 K95kIZ+AFdbey7i+IDsTlUyyCaYyoEyErz2nbFj6RFfJtZiRTwkmfViX/c0lpPOF\n\
                 cDWBscc2ZFfYpmgZeII7K73ApjRh1FEfnxdNN5aOOCZL8+FKVtZ3Wx/tIgNP2rcz\n\
                 bJ/8rhaQdQ==\n\
                 -----END PUBLIC KEY-----\n",
    tokens: &[
        (
            Side::Client,
            "gAAAAABrAUReh1iV7eLMr1VEDJRuziGZ9o_f4gkWtFrb5BC9yHBqp9o3VYZYfBpHP77-SSl0i7ZmYqm8vmSfvDz0mxB2G1aJ\
             b28QUByQef-q9Je0dgeujxfty6aeiPqZNBALoFINV3sp",
            "FlexMusic Pre-Alpha Development Server,0.0.0",
        ),
        (
            Side::Server,
            "gAAAAABrAUReA57agzvo_9PgteK97zesl0Ay8RJ8LmLTDcCN77qR6bTMyGiobv777kDY4WCAvWUxp5k5YZW06WJokEmFnZle\
             nf_9JVatnGZOR4NKRWw3Istd2cSgv9EDEhvxUU9j5sEM",
            "100 FmLTP/1.0 Intepreter Ready\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAURea2748n19RB2RxM1YyUW1MrOVNqggqxp7_blw-EEio4qVk8dZxJzoLN477N6WeDB-gNsqep1NIf0iiQrnRLMM\
             Lg==",
            "HELP\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAUReB3EklYiW2PghmQRr1i6pyWAIXZyxrCLpVGUMKiB-34AtOtARUKR_2HmtsZmHIgCCVrSu65mZ0EQc5ewpPCfr\
             P43ou8Sj8rxFm7onBzK3fcWEKuayow9QKU4KmSSSlf6BMRuZPHHX0gVODvhoJ3DE6LzYEh5U9BkX1MQ39SppHR7Etbkuno8E\
             MZNkaseEL3eVCpvUN97cRo1YTcqOW6LtnS10-Hu0yle7ZO9G2ndMp40xocXzBCJ2oQQZJVAH_Ky_5BDxRooJUl8jv7W3k0a4\
             GGs-k3b_UdZ2LUKVfXRdYQ5AEeLE91iW8zWAqlfNH5fb_Url9ifTHFTx4in_LewTf3M_GTBXpTuPS-R4rYt9zkWRhDrxlJeC\
             qUaZSoYP8oTERfE8stdrUYGULahdsaGf5-4-PhrnStyY8NAVZaKZ99qsfyZEkdrn-7lIY7eLMGFU",
            "200 Available commands:\r\n\
             SEARCH - Run a search operation on the selected backend\r\n\
             SELECT - Select an operative backend mode\r\n\
             DESELECT - Deselect the current operative backend\r\n\
             HELP - Displays help\r\n\
             QUIT - Closes connection to server\r\n\
             Run HELP <command> for more information.\r\n",
        ),
        (
            Side::Client,
            "gAAAAABrAUReFHtSOxcdWl6CVnLek0UmkDcfHezDITAbjmvxp4d8thQA0JftfL8B9CjGE8RQq1DPEshkzt3gRNKHeAVz0QyG\
             PA==",
            "QUIT\r\n",
        ),
        (
            Side::Server,
            "gAAAAABrAURemwr948vWyA_LbYhMtHbUQ1ikOgnxTOy8mzm-8DZU3hevMJXzPe_PrK9NwwMCMZry121LoflpPHcQOc1DsVi_\
             Cg==",
            "200 Goodbye.\r\n",
        ),
    ],
};
