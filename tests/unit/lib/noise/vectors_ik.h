/* vectors_ik - published test vectors for Noise_IK_25519_ChaChaPoly_BLAKE2s, as data.
 * Sources: "cacophony", vectors/cacophony.txt of the Haskell library of that name (github.com/haskell-cryptography/cacophony);
 *          "snow", tests/vectors/snow.txt of the Rust library of that name (github.com/mcginty/snow).
 * Private keys are given; the responder's public key is what the initiator knows beforehand. Messages alternate, the initiator's
 * first; from the third on they are transport messages. */
#pragma once

#define VECTOR_MESSAGES 6

struct ik_vector {
	const char *source, *prologue;
	const char *initiator_static, *initiator_ephemeral;
	const char *responder_static, *responder_ephemeral, *responder_public;
	struct {
		const char *payload, *message;
	} messages[VECTOR_MESSAGES]; /* ends early at NULL */
};

static const struct ik_vector ik_vectors[] = {
	{
		.source = "cacophony",
		.prologue = "4a6f686e2047616c74",
		.initiator_static = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
		.initiator_ephemeral = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
		.responder_static = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
		.responder_ephemeral = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
		.responder_public = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
		.messages = {
			{ "4c756477696720766f6e204d69736573",
			  "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79440b03ddc7aac5123d06a1b23b71670e32e76c28239a7ca4ac8"
			  "f784de7e44c1adbfc6e83fef7352a58d9d56157400c0a737b1d171ce368229c7b752ac25b8faf4eca690f6d896f543be02c996ab2b86b76" },
			{ "4d757272617920526f746862617264",
			  "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d9b5a8927f0ac9655ef76833bc7e5561f42e691ac8404efd6"
			  "fbd6308b6a27c" },
			{ "462e20412e20486179656b", "2c256ed08fcd08c2980f954ee4beaccb61c9581340f5dd2fd1cf3b" },
			{ "4361726c204d656e676572", "d6033f70eee20945c7c9dba304e397ee3b284ff5e00fd9efb095d3" },
			{ "4a65616e2d426170746973746520536179", "a9c068ca5d8babf72560652d8e851adbfac35c8a66e810d560863173e96adf4cfe" },
			{ "457567656e2042f6686d20766f6e2042617765726b",
			  "2a09d8f459e5927e40fdd2eddc99bdafb04e13a26f145cb5cfe9e6ba34c94331ebc17d5156" },
		},
	},
	{
		.source = "snow",
		.prologue = "5468657265206973206e6f20726967687420616e642077726f6e672e2054686572652773206f6e6c792066756e20616e6420626f72696e6"
			    "72e",
		.initiator_static = "b7e117ce8ede06ceb89500799a3778d097fc54a3f90bea744493dfc24ec21f32",
		.initiator_ephemeral = "cc95b4ccc4912c5a52c8d2f6b808e13712392c4468f4e3f02a7d2d1590cb9178",
		.responder_static = "e3187f5c10734e934be3a73c398c7fae07ba3e0cde2fcd9ab03a1c93dcae10f8",
		.responder_ephemeral = "587f83fe736432043d2665fbd47b0506b2cd103b6ba8577f72e117c7ffeb5105",
		.responder_public = "ea82fd2e81d1285f1b2029e46ca7bcaeeeafed15396d002bd434624a4d580655",
		.messages = {
			{ "910ef4a7c04090f66403fcd8ffaed066e70ed38b576792c4a554cc5016fe5120",
			  "df44a475167152d3e4767b9ad5b28468fb8bd6aaa0b0e7181afd87ede7a8c971e818de301c97393bfa71ac250becfc8acef64a969e039f407"
			  "fe44c5ffc3d66d94ff57627ad4cc53882a1b2993babac3940edd1eaff34a3d3f08c53570166b3d29d06bd5de3cfb9b85b66001a60a5bb98d7"
			  "2b80da9485655f86db72b46f745c4e" },
			{ "3ce1e4d6e5f02bfeea1d6620cbf1473b5f55372d6954e98d3e12b6ffd04879d5",
			  "2818be348d38de5f9e3ef545c62e8e276c12e2a64410801a0284e02dfb0d450a848d1001977ef31dfe04b5c824acc04c7bda8490eab6cb6aa"
			  "a844c4ddf0fda83ec84ed26cd6bee22fab17360b73de5b8" },
			{ "31e7554ebce419a76bf5cd464e00594ccf55bdc09c234c450850d26ab164238c",
			  "89545eb9b2477d482156692214def7d5aecc00b9244b4435bdb768173841d2a2a2e52bcee32d64fe938c87594b17ee69" },
			{ "794f643ba08cc7ee7aa39bc055560a0850dbc77bf34d8ab22019bf160ab2c573",
			  "fe35983c049b535cf9ca61cfad5b48e461da90c7c51cb5b873be10e58ae34a384aaebba7f96958b0ef0ac043c5e9c622" },
		},
	},
};
