// completion SHELL: the script that makes a shell ask "maglbctl __complete" (complete.h).
#include "tools/maglbctl/command.h"

namespace maglb::ctl {
namespace {

// bash takes --output=json for three words and replaces only the last of them.
constexpr const char* kBash =
    R"script(# bash completion of maglbctl. For this shell: source <(maglbctl completion bash)
_maglbctl() {
    local word cut= candidate
    local -a words=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#words[@]} -gt 0 && ${words[-1]} == --* && ( $word == "=" || ${words[-1]} == *= ) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    if [[ ${words[-1]} == --*=* ]]; then
        cut=${words[-1]%%=*}=
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ $candidate == ":files" ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]#"$cut"}")
            return
        fi
        COMPREPLY+=("${candidate#"$cut"}")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}
complete -F _maglbctl maglbctl
)script";

constexpr const char* kZsh = R"script(#compdef maglbctl
# zsh completion of maglbctl. Put it into a folder of $fpath as _maglbctl.
_maglbctl() {
    local -a candidates
    candidates=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ ${candidates[1]} == ":files" ]]; then
        _files
    elif [[ -n ${candidates[1]} ]]; then
        compadd -- "${candidates[@]}"
    fi
}
if [[ $funcstack[1] == _maglbctl ]]; then
    _maglbctl "$@"
else
    compdef _maglbctl maglbctl
fi
)script";

constexpr const char* kFish =
    R"script(# fish completion of maglbctl. For this shell: maglbctl completion fish | source
function __maglbctl_candidates
    set -l words (commandline -opc) (commandline -ct)
    for candidate in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        if test "$candidate" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $candidate
        end
    end
end
complete -c maglbctl -f -a '(__maglbctl_candidates)'
)script";

const char* script_for(const std::string& shell) {
  return shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish;
}

}  // namespace

void add_completion(CLI::App& root, Action& chosen) {
  CLI::App& verb = add_verb(root, "completion",
                            {.description = "Prints the script that completes command lines in a shell",
                             .arguments = "SHELL",
                             .examples = {"completion bash > /etc/bash_completion.d/maglbctl",
                                          "completion zsh > /usr/local/share/zsh/site-functions/_maglbctl",
                                          "completion fish > ~/.config/fish/completions/maglbctl.fish"}});
  auto shell = std::make_shared<std::string>();
  verb.add_option("SHELL", *shell)->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb.callback([&chosen, shell] {
    chosen = [shell](const Session&) { return Outcome<std::string>(script_for(*shell)); };
  });
}

}  // namespace maglb::ctl
